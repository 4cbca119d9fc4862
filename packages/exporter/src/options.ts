import type { AttributeValue } from '@throughline/otlp'
import type { DiagnosticWriter } from './diagnostics.ts'
import type { OtlpProtocol, RetryLimits, SignalName, TlsOptions, WorkerConfig } from './messages.ts'
import type { OpenSpanOptions } from './open-span-options.ts'
import { checkedInteger, checkOneOf } from './option-checks.ts'
import type { EndCause } from './process-end.ts'
import { resolveSpool, type SpoolOptions } from './spool-options.ts'
import {
  endpointText,
  grpcEndpointUrl,
  httpEndpointUrl,
  unixSocketPath,
  withoutCredentials,
} from './worker/endpoint.ts'
import { invalidOption } from './worker/exporter-error.ts'
import { checkedHeaders } from './worker/headers.ts'

/** What `createOtlpExporter` takes; `endpoint`, `protocol`, `resource` and `clock` are required. */
export interface OtlpExporterOptions {
  /**
   * For HTTP: `http(s)://host:port`, to which `/v1/traces` or `/v1/logs` is appended, or a URL with a path, which is used
   * as it is. For grpc: `host:port` or `http://host:port` (plaintext), or `https://host:port`. For both:
   * `unix:///path/of/a.sock`. A user and a password in the URL become an `authorization` header.
   */
  readonly endpoint: string
  /** OTLP over gRPC, or over HTTP as protobuf or JSON. */
  readonly protocol: OtlpProtocol
  /** Attributes of the resource that all spans belong to. */
  readonly resource: Readonly<Record<string, AttributeValue | undefined>>
  /** The clock of the tracer provider: span times are relative to its origin. */
  readonly clock: { readonly originUnixNano: bigint }
  /** Sent with each request, for example an API key. Names are case-insensitive. */
  readonly headers?: Readonly<Record<string, string>>
  /**
   * A file with further headers, one `name: value` a line; `headers` wins where names are the same. The export thread
   * reads it, and again whenever it has changed.
   */
  readonly headersFile?: string
  /** Default `none`. */
  readonly compression?: 'none' | 'gzip'
  /** For one attempt, from connecting to the end of the answer. Default 10,000. */
  readonly timeoutMs?: number
  /** How long an ended span waits for others before they are handed over. Default 1,000. */
  readonly scheduleDelayMs?: number
  /** Bytes of encoded spans that may wait in this process; beyond it new spans are dropped. Default 64 MiB, at least 1. */
  readonly queueBytesMax?: number
  /** Requests on their way at the same time. Default 4. */
  readonly concurrentRequestsMax?: number
  /** Default: first delay up to 1,000 ms, doubling up to 30,000 ms; a request is given up after an hour. */
  readonly retry?: Partial<RetryLimits>
  /** `ca` to trust, `cert` and `key` to show (mTLS), each as PEM text or the path of a file. */
  readonly tls?: TlsOptions
  /** For grpc and an endpoint without a scheme: plaintext or TLS. Default: TLS when there are TLS options. */
  readonly insecure?: boolean
  /** Gets each diagnostic as one line. Default: stderr. `false`: none. */
  readonly diagnostics?: DiagnosticWriter | false
  /**
   * When the process has nothing left to do, waiting spans are tried once more for at most this long before it ends.
   * Default 3,000; 0: not at all.
   */
  readonly exitTimeoutMs?: number
  /**
   * On process.exit, an uncaught error, or a signal that ends the process, the dying thread is blocked for at most this long,
   * while the export thread delivers or writes to the spool. It ends at once when all is settled, or at the first failure.
   * Default 1,000; 0: not at all.
   */
  readonly abruptExitTimeoutMs?: number
  /** Signals before whose end spans are saved; `[]`: none is listened to. Default SIGTERM, SIGINT, SIGHUP. */
  readonly signals?: readonly NodeJS.Signals[]
  /** What gives way when memory, or the spool, is full. Default: with a spool the oldest, else the newest. */
  readonly queueFull?: QueueFullPolicy
  /** Keeps what is not delivered on disk. Default: nothing is written. */
  readonly spool?: SpoolOptions
  /** Writes the ledger as one last line when the process ends, or the exporter. Default false. */
  readonly debug?: boolean
  /** Tells of spans before they end, and of those that never will. Default: only ended spans are exported. */
  readonly openSpans?: OpenSpanOptions
}

/** What gives way when there is no room. */
export type QueueFullPolicy = 'drop-newest' | 'drop-oldest'

/** Options with all defaults, checked. */
export interface ExporterSettings {
  readonly worker: WorkerConfig
  readonly resource: OtlpExporterOptions['resource']
  readonly clock: OtlpExporterOptions['clock']
  readonly scheduleDelayMs: number
  readonly queueBytesMax: number
  readonly exitTimeoutMs: number
  readonly abruptExitTimeoutMs: number
  readonly signals: readonly NodeJS.Signals[]
  readonly dropsOldest: boolean
  /** The end of the host's thread, or a signal that may be it: called before its last items are handed over. */
  readonly onEnd?: (cause: EndCause) => void
  /** The host's thread has written its last items to the spool's folder itself. */
  readonly onSpooledAtEnd?: (dir: string) => void
  readonly diagnostics: DiagnosticWriter | undefined
  readonly isDebugging: boolean
}

const mebibyte = 1024 * 1024

/** https://opentelemetry.io/docs/specs/otel/protocol/exporter/#user-agent; a test holds the version to package.json's. */
const userAgent = `throughline-otlp-exporter/0.1.0 node/${process.versions.node}`

export function resolveOptions(
  options: OtlpExporterOptions,
  signal: SignalName = 'traces',
): ExporterSettings {
  const { protocol, compression = 'none', retry = {} } = options
  checkOneOf('protocol', protocol, ['grpc', 'http/protobuf', 'http/json'])
  checkOneOf('compression', compression, ['none', 'gzip'])
  const tls = checkedTls(options.tls ?? {})
  const { url, socketPath, authorization } = placeOf(options, signal)
  if (url.startsWith('http:') && Object.keys(tls).length > 0)
    throw invalidOption(
      `endpoint "${endpointText({ url, socketPath })}" is plaintext, but tls has ${Object.keys(tls).join(', ')}: write https://… or leave them out`,
    )
  const queueFull = options.queueFull ?? (options.spool === undefined ? 'drop-newest' : 'drop-oldest')
  checkOneOf('queueFull', queueFull, ['drop-newest', 'drop-oldest'])
  const dropsOldest = queueFull === 'drop-oldest'
  const name = options.resource['service.name']
  const spool = resolveSpool(options.spool, {
    signal,
    dropsOldest,
    name: typeof name === 'string' ? name : '',
  })
  const scheduleDelayMs = checkedInteger('scheduleDelayMs', options.scheduleDelayMs ?? 1_000, 1)
  return {
    worker: {
      signal,
      protocol,
      url,
      socketPath,
      headers: { 'user-agent': userAgent, ...authorization, ...checkedHeaders(options.headers ?? {}) },
      headersFile: options.headersFile,
      compression,
      timeoutMs: checkedInteger('timeoutMs', options.timeoutMs ?? 10_000, 1, 99_999_999),
      tls,
      retry: {
        initialDelayMs: checkedInteger('retry.initialDelayMs', retry.initialDelayMs ?? 1_000, 1),
        delayMsMax: checkedInteger('retry.delayMsMax', retry.delayMsMax ?? 30_000, 1),
        elapsedMsMax: checkedInteger('retry.elapsedMsMax', retry.elapsedMsMax ?? 3_600_000, 0),
      },
      // Below the 4 MiB at which many receivers refuse a message, and large enough for thousands of spans.
      requestBytesMax: mebibyte,
      concurrentRequestsMax: checkedInteger(
        'concurrentRequestsMax',
        options.concurrentRequestsMax ?? 4,
        1,
        64,
      ),
      spool: spool?.config,
    },
    resource: options.resource,
    clock: options.clock,
    scheduleDelayMs: Math.min(scheduleDelayMs, spool?.handOverMs ?? scheduleDelayMs),
    queueBytesMax: checkedInteger('queueBytesMax', options.queueBytesMax ?? 64 * mebibyte, mebibyte, 2 ** 40),
    exitTimeoutMs: checkedInteger('exitTimeoutMs', options.exitTimeoutMs ?? 3_000, 0),
    abruptExitTimeoutMs: checkedInteger('abruptExitTimeoutMs', options.abruptExitTimeoutMs ?? 1_000, 0),
    signals: options.signals ?? ['SIGTERM', 'SIGINT', 'SIGHUP'],
    dropsOldest,
    diagnostics: options.diagnostics === false ? undefined : (options.diagnostics ?? writeToStderr),
    isDebugging: options.debug === true,
  }
}

function placeOf(
  { endpoint, protocol, tls = {}, insecure }: OtlpExporterOptions,
  signal: SignalName,
): { url: string; socketPath: string | undefined; authorization: { authorization?: string } } {
  const socketPath = unixSocketPath(endpoint)
  const text = socketPath === undefined ? endpoint : 'http://localhost'
  const isTls = insecure === undefined ? Object.keys(tls).length > 0 : !insecure
  const url = new URL(protocol === 'grpc' ? grpcEndpointUrl(text, { isTls }) : httpEndpointUrl(text, signal))
  const { username, password } = url
  const pair = Buffer.from(`${decodeURIComponent(username)}:${decodeURIComponent(password)}`)
  return {
    url: withoutCredentials(url),
    socketPath,
    authorization: username === '' ? {} : { authorization: `Basic ${pair.toString('base64')}` },
  }
}

function checkedTls(tls: TlsOptions): TlsOptions {
  for (const [name, text] of Object.entries(tls))
    if (typeof text !== 'string' || text.trim() === '')
      throw invalidOption(`tls.${name} is empty; allowed: a PEM text, or the path of a file with one`)
  if ((tls.cert === undefined) !== (tls.key === undefined))
    throw invalidOption(
      `tls.${tls.cert === undefined ? 'key' : 'cert'} is given without tls.${tls.cert === undefined ? 'cert' : 'key'}; allowed: both, or neither`,
    )
  return tls
}

function writeToStderr(message: string): void {
  process.stderr.write(`${message}\n`)
}
