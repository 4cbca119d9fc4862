import { homedir } from 'node:os'
import { isAbsolute, join } from 'node:path'
import { context, ProxyTracerProvider, propagation, type TracerProvider } from '@opentelemetry/api'
import { instrumentHttp } from '@throughline/http'
import { initTracer } from '@throughline/node'
import { AsyncContextManager, w3cTraceContextPropagator } from '@throughline/trace'
import type { Config, TracingConfig } from './config/index.ts'
import { version } from './version.ts'

/** Which process of the system this is; each has its own service name. */
export type ProcessName = 'cli' | 'api' | 'worker' | 'nats' | 'all'

export const serviceNames: Readonly<Record<ProcessName, string>> = {
  cli: 'osapi-cli',
  api: 'osapi-api',
  worker: 'osapi-worker',
  nats: 'osapi-nats',
  all: 'osapi',
}

/** Tracing of one process, started. */
export interface Tracing {
  readonly enabled: boolean
  /** Resolves when every ended span is delivered or spooled, or the limit is reached; never rejects. */
  shutdown(options?: { readonly timeoutMs?: number; readonly retry?: boolean }): Promise<void>
}

export interface TelemetryFlags {
  readonly json?: boolean
  readonly warn?: (message: string) => void
}

const exporters = ['none', 'stdout', 'otlp'] as const
const otlpEndpointDefault = 'localhost:4317'

/** Probes and scrapes come by the second and tell nothing of a job: they make no spans. */
export const excludedPaths: readonly string[] = ['/health', '/metrics', '/api/health', '/api/metrics']

/**
 * Starts tracing by `telemetry.tracing`. Off: no provider, but the W3C propagator is set, so that the context of others
 * passes through. Throws `unsupported tracing exporter: "x"`; warns where stdout spans would mix with --json data.
 */
export function startTelemetry(process: ProcessName, config: Config, flags: TelemetryFlags = {}): Tracing {
  const { tracing } = config.telemetry
  const exporter = exporterOf(tracing)
  if (!tracing.enabled) return passThrough()
  const warn = flags.warn ?? (() => undefined)
  if (exporter === 'stdout' && flags.json === true) {
    warn('tracing exporter stdout writes its spans between the JSON data on stdout')
  }
  return initTracer(serviceNames[process], {
    enabled: true,
    exporter,
    ...(exporter === 'otlp' ? otlpOptions(tracing) : {}),
    logsExporter: exporter === 'otlp' && tracing.otlp_logs ? 'otlp' : 'none',
    ...(exporter === 'otlp' && spoolOptions(process, tracing)),
    propagators: ['tracecontext'],
    serviceVersion: version,
    diagnostics: warn,
    http: { responseHeaders: true, excludedPaths },
  })
}

function exporterOf({ exporter }: TracingConfig): (typeof exporters)[number] {
  const name = exporter === '' ? 'none' : exporter
  const known = exporters.find((candidate) => candidate === name)
  if (known === undefined) {
    throw new Error(
      `unsupported tracing exporter: "${exporter}" (telemetry.tracing.exporter; allowed: ${exporters.join(', ')})`,
    )
  }
  return known
}

function otlpOptions(tracing: TracingConfig) {
  const { otlp_endpoint: endpoint, otlp_insecure: isInsecure } = tracing
  const scheme = isInsecure ? 'http' : 'https'
  const address = endpoint === '' ? otlpEndpointDefault : endpoint
  const otlpEndpoint = address.includes(':/') ? address : `${scheme}://${address}`
  return {
    otlpEndpoint,
    otlpProtocol: tracing.otlp_protocol,
    otlpHeaders: tracing.otlp_headers,
    ...(tracing.otlp_headers_file !== '' && { otlpHeadersFile: tracing.otlp_headers_file }),
    ...tlsOptions(tracing, otlpEndpoint),
  }
}

/**
 * A command waits for no collector: what it leaves in its folder is delivered in the background. Without a folder its spans
 * leave at once, since it is over soon.
 */
function spoolOptions(name: ProcessName, tracing: TracingConfig) {
  const { spool_dir: dir } = tracing
  if (name !== 'cli') return { spool: dir === '' || dir === 'off' ? (false as const) : { dir } }
  const folder = dir === '' ? commandSpoolDir(tracing) : dir
  if (folder === undefined || folder === 'off') return { spool: false as const, eagerExport: true }
  // Most commands are over before a thread that exports would have started: they write to the folder at their end.
  return { spool: { dir: folder, flusher: true, handOverMs: 1_000 } }
}

/** Each collector, and each account there, has a folder of its own: what was meant for one is not sent to another. */
function commandSpoolDir(tracing: TracingConfig): string | undefined {
  const { createHash } = process.getBuiltinModule('node:crypto')
  const { otlp_endpoint, otlp_headers, otlp_headers_file } = tracing
  const destination = JSON.stringify([otlp_endpoint, otlp_headers, otlp_headers_file])
  const name = createHash('sha256').update(destination).digest('hex').slice(0, 16)
  // https://specifications.freedesktop.org/basedir-spec/latest/: a relative path there is to be ignored.
  const stateDir = process.env['XDG_STATE_HOME'] ?? ''
  if (isAbsolute(stateDir)) return join(stateDir, 'osapi', 'spool', name)
  try {
    return join(homedir(), '.local', 'state', 'osapi', 'spool', name)
  } catch {
    return undefined
  }
}

const tlsKeys = { ca: 'otlp_certificate', cert: 'otlp_client_certificate', key: 'otlp_client_key' } as const

/** Files for a connection that is plaintext stop the start: somebody believes that it is not. */
function tlsOptions(tracing: TracingConfig, endpoint: string): { otlpTls?: Record<string, string> } {
  const given = Object.entries(tlsKeys).filter(([, key]) => tracing[key] !== '')
  const [first] = given
  if (first === undefined) return {}
  if (!endpoint.startsWith('https://'))
    throw new Error(
      `telemetry.tracing.${first[1]}: "${tracing[first[1]]}" needs TLS: set telemetry.tracing.otlp_insecure to false, or begin telemetry.tracing.otlp_endpoint with https://`,
    )
  const { otlp_client_certificate: cert, otlp_client_key: key } = tracing
  if ((cert === '') !== (key === ''))
    throw new Error(
      `telemetry.tracing.otlp_client_certificate: "${cert}" and telemetry.tracing.otlp_client_key: "${key}" belong together: set both, or neither`,
    )
  return { otlpTls: Object.fromEntries(given.map(([name, key]) => [name, tracing[key]])) }
}

function passThrough(): Tracing {
  propagation.setGlobalPropagator(w3cTraceContextPropagator())
  context.setGlobalContextManager(new AsyncContextManager().enable())
  const http = instrumentHttp({ tracerProvider: relay })
  return {
    enabled: false,
    shutdown: () => {
      http.disable()
      return Promise.resolve()
    },
  }
}

const noTracing = new ProxyTracerProvider().getDelegate()

/** Its spans are those of their parents: requests are read and written with the context that came, and none is made. */
const relay: TracerProvider = {
  getTracer: (name, version, options) => noTracing.getTracer(name, version, options),
}
