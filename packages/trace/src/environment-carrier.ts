import type { Context, TextMapGetter, TextMapSetter } from '@opentelemetry/api'
import { compositePropagator } from './composite-propagator.ts'
import { rootContext } from './context.ts'
import { w3cBaggagePropagator } from './w3c-baggage-propagator.ts'
import { w3cTraceContextPropagator } from './w3c-trace-context-propagator.ts'

/** Environment variables, as `process.env` holds them and `child_process.spawn` takes them. */
export type Environment = Record<string, string | undefined>

const propagator = compositePropagator([w3cTraceContextPropagator(), w3cBaggagePropagator()])

/**
 * The context that a parent process left in TRACEPARENT, TRACESTATE and BAGGAGE; `context` itself when there is none.
 * https://opentelemetry.io/docs/specs/otel/context/env-carriers/
 */
export function extractFromEnvironment(environment: Environment, context: Context = rootContext): Context {
  return propagator.extract(context, environment, environmentGetter)
}

/**
 * Writes a context into the environment of a child process. Pass a copy, not `process.env`: what stands there already
 * is replaced, and variables of a context that has nothing to say are removed, so that no stale parent is inherited.
 */
export function injectIntoEnvironment(context: Context, environment: Environment): void {
  for (const field of propagator.fields()) delete environment[variableOf(field)]
  propagator.inject(context, environment, environmentSetter)
}

const environmentGetter: TextMapGetter<Environment> = {
  get: (environment, key) => environment[variableOf(key)],
  keys: (environment) => Object.keys(environment),
}

const environmentSetter: TextMapSetter<Environment> = {
  set(environment, key, value) {
    environment[variableOf(key)] = value
  },
}

function variableOf(field: string): string {
  return field.toUpperCase().replaceAll(/[^A-Z0-9_]/g, '_')
}
