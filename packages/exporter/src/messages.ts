import type { DropReason } from './ledger.ts'

/**
 * What the host's thread and the worker say to each other. A chunk is a finished, valid export request of the signal; its
 * buffer is transferred, so that exactly one side can touch it at any time.
 */
export type HostMessage = ChunkMessage | { readonly kind: 'flush' } | { readonly kind: 'stop' }

interface ChunkMessage {
  readonly kind: 'chunk'
  readonly chunkId: number
  readonly buffer: ArrayBuffer
  /** The first bytes of the buffer that are in use. */
  readonly sizeBytes: number
}

export type WorkerMessage = RecycledMessage | ExportEvent | SaidMessage

/** A line for the diagnostics. */
interface SaidMessage {
  readonly kind: 'said'
  readonly message: string
}

/** The worker has copied what it needs; the buffer goes back to the host for the next chunk. */
interface RecycledMessage {
  readonly kind: 'recycled'
  readonly chunkId: number
  readonly buffer: ArrayBuffer
}

/** What became of chunks. Each chunk is settled exactly once, by `delivered` or by `dropped`. */
export type ExportEvent =
  | {
      readonly kind: 'delivered'
      readonly chunkIds: readonly number[]
      /** Items in these chunks that the collector says it rejected. */
      readonly rejectedItemCount: number
      /** What the collector had to say although it took the request; empty when nothing. */
      readonly note: string
    }
  | {
      readonly kind: 'dropped'
      readonly chunkIds: readonly number[]
      readonly reason: DropReason
      readonly cause: string
    }
  | { readonly kind: 'attempt-failed'; readonly cause: string; readonly retryDelayMs: number }

/** How requests are encoded and carried. */
export type OtlpProtocol = 'grpc' | 'http/protobuf' | 'http/json'

/** OpenTelemetry's signals that this package exports; also the last part of their HTTP path. */
export type SignalName = 'traces' | 'logs'

/** What the worker is started with: plain data only, since it crosses a thread. */
export interface WorkerConfig {
  readonly signal: SignalName
  readonly protocol: OtlpProtocol
  readonly url: string
  /** A unix socket to connect to instead of the URL's host. */
  readonly socketPath: string | undefined
  readonly headers: Readonly<Record<string, string>>
  /** A file with more of them, read in the worker. */
  readonly headersFile: string | undefined
  readonly compression: 'none' | 'gzip'
  /** For one attempt, from connecting to the end of the answer. */
  readonly timeoutMs: number
  readonly tls: TlsOptions
  readonly retry: RetryLimits
  readonly requestBytesMax: number
  readonly concurrentRequestsMax: number
}

/**
 * Each is a PEM text, or the path of a file with it. Files are read by the export thread, and again whenever they have
 * changed. `ca` is what to trust, instead of the system's list; `cert` and `key` are shown to the collector (mTLS).
 */
export interface TlsOptions {
  readonly ca?: string
  readonly cert?: string
  readonly key?: string
}

/**
 * How a request is repeated that the collector did not take for now: random delays below a bound that doubles.
 * https://opentelemetry.io/docs/specs/otlp/#retryable-response-codes
 */
export interface RetryLimits {
  /** Upper end of the first random delay. */
  readonly initialDelayMs: number
  /** Where the doubling ends. */
  readonly delayMsMax: number
  /** A request is given up when its next attempt would start later than this after its first one. */
  readonly elapsedMsMax: number
}
