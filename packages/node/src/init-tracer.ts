import {
  type TracerProvider as ApiTracerProvider,
  type Attributes,
  diag,
  type MeterProvider,
  metrics,
  trace,
} from '@opentelemetry/api'
import {
  type AdoptedLedger,
  createOtlpExporter,
  createStdoutExporter,
  ExporterError,
  type Ledger,
  type OtlpExporter,
  type OtlpExporterOptions,
} from '@throughline/exporter'
import {
  type HttpInstrumentation,
  type HttpOptions,
  HttpTracingError,
  instrumentHttp,
} from '@throughline/http'
import { withoutLogRecords } from '@throughline/logs'
import {
  batchSpanProcessor,
  type Clock,
  type Sampler,
  type SpanExporter,
  type SpanProcessor,
  type SpanSink,
  SystemClock,
  TracerProvider,
} from '@throughline/trace'
import { TracingConfigError } from './config-error.ts'
import { type DeliveryOptions, deliverySettings } from './delivery-settings.ts'
import { type Environment, readBoolean, readChoice, readText, readWholeNumber } from './environment.ts'
import { type ExporterName, exportersOf } from './exporters.ts'
import { createLogsExport, type LogsExport, type LogsExporterName, logsExporterOf } from './logs.ts'
import { type OpenSpanSettings, type OpenSpansChoice, openSpanSettings } from './open-spans.ts'
import { namesEndpoint, type OtlpOptions, type OtlpProtocol, otlpSettings } from './otlp-settings.ts'
import { type PropagatorName, propagatorOf } from './propagators.ts'
import { processResource } from './resource.ts'
import { parseSampler, samplerFromEnvironment } from './sampler.ts'
import { type ExporterSource, type MetricSources, reportSdkMetrics } from './sdk-metrics.ts'
import { spanLimitsFromEnvironment } from './span-limits.ts'
import type { TlsSettings } from './tls-settings.ts'

/** Each option beats its environment variable, which beats the default. */
export interface InitTracerOptions extends DeliveryOptions {
  /** Default: true, unless OTEL_SDK_DISABLED is true. When false nothing is set up: no provider, no thread, no ids. */
  readonly enabled?: boolean | undefined
  /** Base URL of an OTLP receiver, `host:port` for gRPC too. Naming one turns OTLP export on. Environment: OTEL_EXPORTER_OTLP_ENDPOINT. */
  readonly otlpEndpoint?: string | undefined
  /** Default `http/protobuf`. Environment: OTEL_EXPORTER_OTLP_PROTOCOL. */
  readonly otlpProtocol?: OtlpProtocol | undefined
  /** Sent with every export, for example an API key. Environment: OTEL_EXPORTER_OTLP_HEADERS. */
  readonly otlpHeaders?: Readonly<Record<string, string>> | undefined
  /** A file with more of them, `name: value` a line, read again when it changes. Environment: THROUGHLINE_OTLP_HEADERS_FILE. */
  readonly otlpHeadersFile?: string | undefined
  /** Default `none`. Environment: OTEL_EXPORTER_OTLP_COMPRESSION. */
  readonly otlpCompression?: 'none' | 'gzip' | undefined
  /** For one attempt. Default 10,000. Environment: OTEL_EXPORTER_OTLP_TIMEOUT. */
  readonly otlpTimeoutMs?: number | undefined
  /** TLS and mTLS, as PEM texts or files. Environment: OTEL_EXPORTER_OTLP_CERTIFICATE, _CLIENT_CERTIFICATE, _CLIENT_KEY. */
  readonly otlpTls?: TlsSettings | undefined
  /** For gRPC and an endpoint without a scheme: plaintext or TLS. Environment: OTEL_EXPORTER_OTLP_INSECURE. */
  readonly otlpInsecure?: boolean | undefined
  /** Span JSON on stdout, for local development; beside OTLP where an endpoint is named. */
  readonly stdout?: boolean | undefined
  /** Says it outright. `otlp` without an endpoint exports to localhost. Environment: OTEL_TRACES_EXPORTER. */
  readonly exporter?: ExporterName | undefined
  /** The same for log records, of pino and others. Default: `otlp` where an endpoint is named. Environment: OTEL_LOGS_EXPORTER. */
  readonly logsExporter?: LogsExporterName | undefined
  /** A sampler, or its name as OTEL_TRACES_SAMPLER takes it. Default: every trace, unless the parent says no. */
  readonly sampler?: Sampler | string | undefined
  /** Default `['tracecontext', 'baggage']`. Environment: OTEL_PROPAGATORS. */
  readonly propagators?: readonly PropagatorName[] | undefined
  /** Resource attributes; they win over those that are found out and over OTEL_RESOURCE_ATTRIBUTES. */
  readonly resource?: Attributes | undefined
  /** The resource's `service.version`. */
  readonly serviceVersion?: string | undefined
  /** OpenTelemetry span processors of others. */
  readonly spanProcessors?: readonly SpanProcessor[] | undefined
  /** OpenTelemetry span exporters of others, each behind a batch processor. */
  readonly spanExporters?: readonly SpanExporter[] | undefined
  /** Options of the HTTP instrumentation; false leaves node:http and fetch alone. */
  readonly http?: HttpOptions | false | undefined
  /**
   * Starts the export thread at once instead of when the first spans leave: for short commands, which would else wait for
   * it at their end. Default: false.
   */
  readonly eagerExport?: boolean | undefined
  /**
   * Spans that have not ended: known after a kill, and ended with the reason when the process ends. Default: true where there is
   * a spool. Environment: THROUGHLINE_OPEN_SPANS (off, on, export).
   */
  readonly openSpans?: OpenSpansChoice | boolean | undefined
  /**
   * Gets the tracer's own metrics, by OpenTelemetry's conventions for SDKs. Default: OpenTelemetry's global meter provider, if
   * there is one by then. False: none.
   */
  readonly meterProvider?: MeterProvider | false | undefined
  /** Gets operating errors as lines of text. Default: stderr. False: none. */
  readonly diagnostics?: ((message: string) => void) | false | undefined
  /** Default `process.env`. */
  readonly env?: Environment | undefined
}

/** What initTracer set up. Nothing in it ever throws or rejects. */
export interface Tracing {
  /** False when tracing was switched off; everything here is a no-op then. */
  readonly enabled: boolean
  /** The provider that OpenTelemetry's global API uses too; a no-op one when tracing is off. */
  readonly provider: ApiTracerProvider
  /** The account of the OTLP exporter for spans; undefined without one. */
  ledger(): Ledger | undefined
  /** What the exporter took over, from the spool, of processes that are gone; undefined without an exporter. */
  adopted(): AdoptedLedger | undefined
  /** The account of the OTLP exporter for log records; undefined without one. */
  logLedger(): Ledger | undefined
  /** Hands over everything that ended so far. Resolves when it is delivered, or after `timeoutMs` (default 5,000). */
  forceFlush(options?: { readonly timeoutMs?: number }): Promise<void>
  /**
   * Flushes, stops, and gives OpenTelemetry's globals back. Resolves within `timeoutMs` (default 5,000); with a spool, or
   * with `retry: false`, at the first failed attempt already, so that an absent collector does not hold up a command's end.
   * What is not delivered then is in the spool, or without one counted as dropped.
   */
  shutdown(options?: { readonly timeoutMs?: number; readonly retry?: boolean }): Promise<void>
}

const defaultTimeoutMs = 5_000
let current: Tracing | undefined

/**
 * Sets up tracing in this process, in one call and without a loader: provider, context, propagation, export, and spans
 * for node:http and fetch. Synchronous; threads and connections come with the first export.
 *
 * `serviceName` is the resource's `service.name` unless OTEL_SERVICE_NAME says otherwise. A second call while tracing is
 * on changes nothing and returns the first one's result. Throws a TracingConfigError for a value that cannot be used; it
 * names the key, the value and what is allowed.
 */
export function initTracer(serviceName: string, options: InitTracerOptions = {}): Tracing {
  const env = options.env ?? process.env
  const isEnabled = options.enabled ?? readBoolean(env, 'OTEL_SDK_DISABLED') !== true
  if (!isEnabled) return disabledTracing()
  if (current !== undefined) {
    diag.warn(`initTracer("${serviceName}"): tracing is on already; the first call's set-up stays`)
    return current
  }
  current = startTracing(serviceName, options, env)
  return current
}

function disabledTracing(): Tracing {
  return {
    enabled: false,
    provider: trace.getTracerProvider(),
    ledger: () => undefined,
    adopted: () => undefined,
    logLedger: () => undefined,
    forceFlush: () => Promise.resolve(),
    shutdown: () => Promise.resolve(),
  }
}

function startTracing(serviceName: string, options: InitTracerOptions, env: Environment): Tracing {
  const clock = new SystemClock()
  const resource = processResource(
    { serviceName, serviceVersion: options.serviceVersion, attributes: options.resource },
    env,
  )
  const sampler = samplerOf(options.sampler, env)
  const propagator = propagatorOf(options.propagators, env)
  const { sinks, otlp, exporter, openSpans } = createSinks(options, env, { clock, resource })
  const logs = createLogs(options, env, { clock, resource })
  const provider = new TracerProvider({
    clock,
    resource,
    ...(sampler !== undefined && { sampler }),
    spanLimits: spanLimitsFromEnvironment(env),
    spanProcessors: [
      ...(options.spanProcessors ?? []),
      ...(options.spanExporters ?? []).map((exporter) => batchSpanProcessor(exporter)),
    ],
    spanSinks: sinks,
    ...(openSpans !== undefined && { openSpans: openSpans.list }),
  })
  // Before the provider is registered: options that are refused leave no global behind.
  const http = startHttp(options.http, env)
  provider.register({ propagator })
  logs?.register()
  if (options.eagerExport === true) otlp?.start()
  const stopMetrics = startMetrics(options.meterProvider, { provider, openSpans: openSpans?.list, exporter })

  const tracing: Tracing = {
    enabled: true,
    provider,
    ledger: () => otlp?.ledger(),
    adopted: () => otlp?.adopted(),
    logLedger: () => logs?.exporter.ledger(),
    async forceFlush({ timeoutMs = defaultTimeoutMs } = {}) {
      await Promise.all([logs?.exporter.forceFlush({ timeoutMs }), within(timeoutMs, provider.forceFlush())])
    },
    async shutdown({ timeoutMs = defaultTimeoutMs, retry = true } = {}) {
      if (current === tracing) current = undefined
      http?.disable()
      stopMetrics()
      // The exporter keeps its own time, so that it can account for what was not delivered; the provider follows.
      await Promise.all([
        otlp?.shutdown({ timeoutMs, retry }),
        logs?.exporter.shutdown({ timeoutMs, retry }),
        within(timeoutMs, provider.shutdown()),
      ])
      logs?.unregister()
      provider.unregister()
    },
  }
  return tracing
}

function samplerOf(sampler: Sampler | string | undefined, env: Environment): Sampler | undefined {
  if (typeof sampler !== 'string') return sampler ?? samplerFromEnvironment(env)
  return parseSampler({ text: sampler, source: { code: 'invalid_option', key: 'sampler' } })
}

interface SinkSurroundings {
  readonly clock: Clock
  readonly resource: Attributes
}

interface Sinks {
  readonly sinks: SpanSink[]
  readonly otlp?: OtlpExporter
  readonly exporter?: ExporterSource
  readonly openSpans?: OpenSpanSettings
}

function createSinks(options: InitTracerOptions, env: Environment, surroundings: SinkSurroundings): Sinks {
  const said = otlpOptionsOf(options)
  const chosen = exportersOf(options, env, namesEndpoint('traces', said, env))
  const sinks: SpanSink[] = []
  if (chosen.has('stdout')) sinks.push(createStdoutExporter(surroundings))
  if (!chosen.has('otlp')) return { sinks }
  const delivery = deliverySettings(options, env)
  const hasSpool = delivery.spool !== undefined && delivery.spool.mode !== 'off'
  const openSpans = openSpanSettings(options.openSpans, { env, hasSpool })
  const settings = otlpSettings('traces', said, env)
  const otlp = checked(() =>
    createOtlpExporter({
      ...settings,
      ...surroundings,
      ...delivery,
      ...(openSpans !== undefined && { openSpans }),
      ...scheduleOf(env),
      ...diagnosticsOf(options, env),
    }),
  )
  sinks.push(otlp)
  const exporter: ExporterSource = {
    protocol: settings.protocol,
    ledger: () => otlp.ledger(),
    adopted: () => otlp.adopted(),
  }
  return { sinks, otlp, exporter, ...(openSpans !== undefined && { openSpans }) }
}

function startMetrics(meterProvider: MeterProvider | false | undefined, sources: MetricSources): () => void {
  if (meterProvider === false) return () => {}
  return reportSdkMetrics(meterProvider ?? metrics.getMeterProvider(), sources)
}

function createLogs(
  options: InitTracerOptions,
  env: Environment,
  surroundings: SinkSurroundings,
): LogsExport | undefined {
  const said = otlpOptionsOf(options)
  if (logsExporterOf(options, env, namesEndpoint('logs', said, env)) === 'none') return undefined
  return checked(() =>
    createLogsExport(
      {
        ...otlpSettings('logs', said, env),
        ...surroundings,
        ...deliverySettings(options, env),
        ...diagnosticsOf(options, env),
      },
      env,
    ),
  )
}

function otlpOptionsOf(options: InitTracerOptions): OtlpOptions {
  return {
    endpoint: options.otlpEndpoint,
    protocol: options.otlpProtocol,
    headers: options.otlpHeaders,
    headersFile: options.otlpHeadersFile,
    compression: options.otlpCompression,
    timeoutMs: options.otlpTimeoutMs,
    tls: options.otlpTls,
    insecure: options.otlpInsecure,
  }
}

/** A program may write our lines with its own logger: they are no log records, or a failing export would feed itself. */
function diagnosticsOf(
  { diagnostics }: InitTracerOptions,
  env: Environment,
): Pick<OtlpExporterOptions, 'debug' | 'diagnostics'> {
  const level = readChoice(env, ['OTEL_LOG_LEVEL'], logLevels)
  const debug = level === 'debug' || level === 'verbose' || level === 'all'
  if (diagnostics === undefined) return { debug }
  if (diagnostics === false) return { diagnostics, debug }
  return { diagnostics: (message) => withoutLogRecords(() => diagnostics(message)), debug }
}

/** https://opentelemetry.io/docs/specs/otel/configuration/sdk-environment-variables/#general-sdk-configuration */
const logLevels = ['none', 'error', 'warn', 'info', 'debug', 'verbose', 'all'] as const

function startHttp(options: InitTracerOptions['http'], env: Environment): HttpInstrumentation | undefined {
  if (options === false) return undefined
  try {
    return instrumentHttp(httpOptions(options, env))
  } catch (error) {
    if (!(error instanceof HttpTracingError)) throw error
    throw new TracingConfigError('invalid_option', `option http.${error.message}`, { cause: error })
  }
}

function checked<Exporter>(create: () => Exporter): Exporter {
  try {
    return create()
  } catch (error) {
    if (!(error instanceof ExporterError)) throw error
    throw new TracingConfigError('invalid_option', `OTLP exporter: ${error.message}`, { cause: error })
  }
}

function scheduleOf(env: Environment): { scheduleDelayMs?: number } {
  const scheduleDelayMs = readWholeNumber(env, 'OTEL_BSP_SCHEDULE_DELAY', 1)
  return scheduleDelayMs === undefined ? {} : { scheduleDelayMs }
}

/** OTEL_SEMCONV_STABILITY_OPT_IN, where the code does not say which names HTTP attributes get. */
function httpOptions(options: HttpOptions | undefined, env: Environment): HttpOptions {
  const optIn = readText(env, 'OTEL_SEMCONV_STABILITY_OPT_IN')
  const names = new Set(optIn?.split(',').map((name) => name.trim()))
  const semconv = names.has('http/dup') ? 'dup' : names.has('http') ? 'stable' : undefined
  return { ...(semconv !== undefined && { semconv }), ...options }
}

/** Resolves with the work, or after `timeoutMs`; never rejects. The timer keeps the process up only as long as that. */
async function within(timeoutMs: number, work: Promise<void>): Promise<void> {
  let timer: NodeJS.Timeout | undefined
  const limit = new Promise<void>((resolve) => {
    timer = setTimeout(resolve, timeoutMs)
  })
  await Promise.race([work.catch((error: unknown) => diag.error('tracing', error)), limit])
  clearTimeout(timer)
}
