import { type SpoolMode, setUpThroughline } from '@throughline/tests/reliability'

export const variantNames = [
  'none',
  'throughline',
  'throughline-spool',
  'opentelemetry',
  'opentelemetry-shutdown',
] as const
export type VariantName = (typeof variantNames)[number]

export interface Variant {
  readonly name: VariantName
  readonly setUp: string
  readonly spool: SpoolMode
  readonly env: Readonly<Record<string, string>>
}

// Traces only, as with us.
const tracesOnly = { OTEL_METRICS_EXPORTER: 'none', OTEL_LOGS_EXPORTER: 'none' }
const ofThisFolder = (file: string): string => new URL(file, import.meta.url).href

export const variants: Readonly<Record<VariantName, Variant>> = {
  none: { name: 'none', setUp: 'none', spool: 'off', env: {} },
  throughline: { name: 'throughline', setUp: setUpThroughline, spool: 'off', env: {} },
  'throughline-spool': { name: 'throughline-spool', setUp: setUpThroughline, spool: 'on-failure', env: {} },
  opentelemetry: {
    name: 'opentelemetry',
    setUp: ofThisFolder('set-up-opentelemetry.js'),
    spool: 'off',
    env: tracesOnly,
  },
  'opentelemetry-shutdown': {
    name: 'opentelemetry-shutdown',
    setUp: ofThisFolder('set-up-opentelemetry-shutdown.js'),
    spool: 'off',
    env: tracesOnly,
  },
}

/** All but the bare program. */
export const tracedVariants: readonly Variant[] = variantNames
  .filter((name) => name !== 'none')
  .map((name) => variants[name])
