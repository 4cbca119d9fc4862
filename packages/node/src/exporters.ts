import { invalidValue, type ValueSource } from './config-error.ts'
import { type Environment, environmentSource, readText } from './environment.ts'

/** `none`: spans have ids and are exported nowhere; `stdout`: as JSON; `otlp`: to a collector or to Lens. */
export type ExporterName = 'none' | 'stdout' | 'otlp'

/**
 * Which exporters run: `exporter` in code, else OTEL_TRACES_EXPORTER (a list; `console` is stdout), else what the other
 * options ask for: an endpoint means otlp, `stdout: true` means stdout, both mean both, neither means ids only.
 */
export function exportersOf(
  options: { readonly exporter?: string | undefined; readonly stdout?: boolean | undefined },
  env: Environment,
  hasEndpoint: boolean,
): ReadonlySet<'stdout' | 'otlp'> {
  const text = readText(env, 'OTEL_TRACES_EXPORTER')
  const names =
    options.exporter !== undefined
      ? [checkedName(options.exporter, { code: 'invalid_option', key: 'exporter' })]
      : (text
          ?.split(',')
          .map((name) => checkedName(name.trim(), environmentSource('OTEL_TRACES_EXPORTER'))) ??
        (hasEndpoint ? ['otlp' as const] : []))
  const chosen = new Set<'stdout' | 'otlp'>(options.stdout === true ? ['stdout'] : [])
  for (const name of names) if (name !== 'none') chosen.add(name)
  return chosen
}

function checkedName(name: string, source: ValueSource): ExporterName {
  const lower = name.toLowerCase()
  if (lower === 'console' && source.code === 'invalid_environment') return 'stdout'
  if (lower === 'none' || lower === 'stdout' || lower === 'otlp') return lower
  throw invalidValue(
    source,
    name,
    `none, stdout${source.code === 'invalid_environment' ? ' (console)' : ''}, otlp`,
  )
}
