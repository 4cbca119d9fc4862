import type { AttributeValue } from '@throughline/otlp'
import type { DiagnosticWriter } from './diagnostics.ts'
import { grpcEndpointUrl, httpEndpointUrl } from './endpoint.ts'
import { invalidOption } from './exporter-error.ts'
import type { RetryLimits, SignalName, TlsOptions, WorkerConfig } from './messages.ts'

/** What `createOtlpExporter` takes; `endpoint`, `protocol`, `resource` and `clock` are required. */
export interface OtlpExporterOptions {
  /**
   * For http/protobuf: `http(s)://host:port`, to which `/v1/traces` is appended, or a URL with a path, which is used as
   * it is. For grpc: `host:port` or `http://host:port` (plaintext), or `https://host:port`.
   */
  readonly endpoint: string
  /** OTLP over gRPC, or protobuf over HTTP. */
  readonly protocol: 'grpc' | 'http/protobuf'
  /** Attributes of the resource that all spans belong to. */
  readonly resource: Readonly<Record<string, AttributeValue | undefined>>
  /** The clock of the tracer provider: span times are relative to its origin. */
  readonly clock: { readonly originUnixNano: bigint }
  /** Sent with each request, for example an API key. Names are case-insensitive. */
  readonly headers?: Readonly<Record<string, string>>
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
  /** PEM texts: `ca` to trust, `cert` and `key` to show (mTLS). */
  readonly tls?: TlsOptions
  /** Gets each diagnostic as one line. Default: stderr. `false`: none. */
  readonly diagnostics?: DiagnosticWriter | false
  /**
   * When the process has nothing left to do, waiting spans are tried once more for at most this long before it ends.
   * Default 3,000; 0: not at all.
   */
  readonly exitTimeoutMs?: number
}

/** Options with all defaults, checked. */
export interface ExporterSettings {
  readonly worker: WorkerConfig
  readonly resource: OtlpExporterOptions['resource']
  readonly clock: OtlpExporterOptions['clock']
  readonly scheduleDelayMs: number
  readonly queueBytesMax: number
  readonly exitTimeoutMs: number
  readonly diagnostics: DiagnosticWriter | undefined
}

const mebibyte = 1024 * 1024

/** https://opentelemetry.io/docs/specs/otel/protocol/exporter/#user-agent; a test holds the version to package.json's. */
const userAgent = `throughline-otlp-exporter/0.1.0 node/${process.versions.node}`

// Content and framing are the exporter's; a header of the user that contradicts them would make requests unreadable.
const reservedHeader =
  /^(?:content-(?:type|length|encoding)|transfer-encoding|connection|te|host|grpc-(?!.*-bin$).*)$/

export function resolveOptions(
  options: OtlpExporterOptions,
  signal: SignalName = 'traces',
): ExporterSettings {
  const { protocol, compression = 'none', tls = {}, retry = {} } = options
  checkOneOf('protocol', protocol, ['grpc', 'http/protobuf'])
  checkOneOf('compression', compression, ['none', 'gzip'])
  const url =
    protocol === 'grpc'
      ? grpcEndpointUrl(options.endpoint, { hasTlsOptions: Object.keys(tls).length > 0 })
      : httpEndpointUrl(options.endpoint, signal)
  return {
    worker: {
      signal,
      protocol,
      url,
      headers: { 'user-agent': userAgent, ...checkedHeaders(options.headers ?? {}) },
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
    },
    resource: options.resource,
    clock: options.clock,
    scheduleDelayMs: checkedInteger('scheduleDelayMs', options.scheduleDelayMs ?? 1_000, 1),
    queueBytesMax: checkedInteger('queueBytesMax', options.queueBytesMax ?? 64 * mebibyte, mebibyte, 2 ** 40),
    exitTimeoutMs: checkedInteger('exitTimeoutMs', options.exitTimeoutMs ?? 3_000, 0),
    diagnostics: options.diagnostics === false ? undefined : (options.diagnostics ?? writeToStderr),
  }
}

function checkOneOf(name: string, value: unknown, allowed: readonly string[]): void {
  if (typeof value !== 'string' || !allowed.includes(value))
    throw invalidOption(`${name} "${String(value)}" must be one of: ${allowed.join(', ')}`)
}

/** 2^31 - 1 is where node's timers end. */
function checkedInteger(name: string, value: number, min: number, max: number = 2 ** 31 - 1): number {
  if (!Number.isSafeInteger(value) || value < min || value > max)
    throw invalidOption(`${name} ${String(value)} must be a whole number from ${min} to ${max}`)
  return value
}

function checkedHeaders(headers: Readonly<Record<string, string>>): Record<string, string> {
  const checked: Record<string, string> = {}
  for (const [name, value] of Object.entries(headers)) {
    const key = name.toLowerCase()
    if (!/^[!#$%&'*+.^_`|~0-9a-z-]+$/.test(key)) throw invalidOption(`headers: "${name}" is no header name`)
    if (reservedHeader.test(key)) throw invalidOption(`headers: "${name}" is set by the exporter itself`)
    // The value may be a secret, so it is not shown.
    if (!/^[\t\x20-\x7e\x80-\xff]*$/.test(value))
      throw invalidOption(`headers: the value of "${name}" has characters that no header may have`)
    checked[key] = value
  }
  return checked
}

function writeToStderr(message: string): void {
  process.stderr.write(`${message}\n`)
}
