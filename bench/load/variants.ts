import { fileURLToPath } from 'node:url'

export const variantNames = [
  'none',
  'throughline',
  'throughline-spool-on-failure',
  'throughline-spool-always',
  'throughline-unsampled',
  'opentelemetry',
  'opentelemetry-unsampled',
  'dd-trace',
] as const
export type VariantName = (typeof variantNames)[number]

export interface Variant {
  readonly nodeArgs: readonly string[]
  readonly env: Readonly<Record<string, string>>
}

/** How a server with this tracing is started; `sinkUrl` is where its spans go, below `spoolDir` what it keeps on disk. */
export function variant(name: VariantName, sinkUrl: string, spoolDir = ''): Variant {
  const otlp = {
    OTEL_EXPORTER_OTLP_ENDPOINT: sinkUrl,
    OTEL_EXPORTER_OTLP_PROTOCOL: 'http/protobuf',
    // Traces only, for everybody: NodeSDK would export metrics and logs too.
    OTEL_METRICS_EXPORTER: 'none',
    OTEL_LOGS_EXPORTER: 'none',
  }
  const unsampled = { ...otlp, OTEL_TRACES_SAMPLER: 'always_off' }
  switch (name) {
    case 'none':
      return { nodeArgs: [], env: {} }
    case 'throughline':
      return { nodeArgs: ['--import', file('setup-throughline.js')], env: otlp }
    case 'throughline-spool-on-failure':
    case 'throughline-spool-always':
      return {
        nodeArgs: ['--import', file('setup-throughline.js')],
        env: {
          ...otlp,
          THROUGHLINE_SPOOL_DIR: `${spoolDir}/${name}`,
          THROUGHLINE_SPOOL_MODE: name.slice('throughline-spool-'.length),
        },
      }
    case 'throughline-unsampled':
      return { nodeArgs: ['--import', file('setup-throughline.js')], env: unsampled }
    case 'opentelemetry':
      return { nodeArgs: ['--import', file('setup-opentelemetry.js')], env: otlp }
    case 'opentelemetry-unsampled':
      return { nodeArgs: ['--import', file('setup-opentelemetry.js')], env: unsampled }
    case 'dd-trace':
      return { nodeArgs: ['--require', 'dd-trace/init'], env: datadog(sinkUrl) }
  }
}

/** Traces only here too: what dd-trace sends besides is switched off, which is in its favour. */
function datadog(sinkUrl: string): Record<string, string> {
  return {
    DD_TRACE_AGENT_URL: sinkUrl,
    DD_SERVICE: 'bench',
    DD_INSTRUMENTATION_TELEMETRY_ENABLED: 'false',
    DD_REMOTE_CONFIGURATION_ENABLED: 'false',
    DD_TRACE_STARTUP_LOGS: 'false',
  }
}

function file(name: string): string {
  return fileURLToPath(new URL(name, import.meta.url))
}
