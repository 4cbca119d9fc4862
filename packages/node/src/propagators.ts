import type { TextMapPropagator } from '@opentelemetry/api'
import { compositePropagator, w3cBaggagePropagator, w3cTraceContextPropagator } from '@throughline/trace'
import { invalidValue, type ValueSource } from './config-error.ts'
import { type Environment, environmentSource, readText } from './environment.ts'

/** OTEL_PROPAGATORS' names: W3C trace context, W3C baggage, or nothing at all. */
export type PropagatorName = 'tracecontext' | 'baggage' | 'none'

const makers: Record<PropagatorName, () => TextMapPropagator | undefined> = {
  tracecontext: w3cTraceContextPropagator,
  baggage: w3cBaggagePropagator,
  none: () => undefined,
}

/**
 * The propagator that the names give: code beats OTEL_PROPAGATORS, default W3C trace context and baggage. `none` (or an
 * empty list in code) gives one that carries nothing.
 */
export function propagatorOf(
  names: readonly PropagatorName[] | undefined,
  env: Environment,
): TextMapPropagator {
  const text = readText(env, 'OTEL_PROPAGATORS')
  const chosen =
    names?.map((name) => checkedName(name, { code: 'invalid_option', key: 'propagators' })) ??
    text?.split(',').map((name) => checkedName(name.trim(), environmentSource('OTEL_PROPAGATORS'))) ??
    (['tracecontext', 'baggage'] as const)
  return compositePropagator([...new Set(chosen)].flatMap((name) => makers[name]() ?? []))
}

function checkedName(name: string, source: ValueSource): PropagatorName {
  if (name === 'tracecontext' || name === 'baggage' || name === 'none') return name
  throw invalidValue(source, name, Object.keys(makers).join(', '))
}
