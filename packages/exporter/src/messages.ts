import type { MessagePort } from 'node:worker_threads'
import type { DropReason } from './ledger.ts'

/**
 * What the host's thread and the worker say to each other. A chunk is a finished, valid export request of the signal, in
 * memory that both see: the host leaves it as it is until the worker has settled it, or has it on disk.
 */
export type HostMessage =
  | {
      readonly kind: 'chunk'
      readonly chunkId: number
      readonly itemCount: number
      readonly bytes: Uint8Array
    }
  /** The first item of a chunk is in `bytes`; `state` tells how far it goes. See `openChunk`. */
  | {
      readonly kind: 'open'
      readonly chunkId: number
      readonly bytes: Uint8Array
      readonly state: Int32Array
    }
  | { readonly kind: 'flush' }
  /** Drop the oldest chunks that are nowhere but in memory, of at least this size together. */
  | { readonly kind: 'make-room'; readonly sizeBytes: number }
  /** Write to disk what is not settled, then say `saved`. `isFinal`: the process ends, so the folder is released. */
  | { readonly kind: 'save'; readonly isFinal: boolean; readonly reason: string }
  /** Keep on disk what is known of these spans, which have not ended. */
  | { readonly kind: 'open-spans'; readonly snapshots: readonly OpenSpanSnapshot[] }
  /** They have ended; their ends are in the next chunks. */
  | { readonly kind: 'spans-ended'; readonly openIds: readonly number[] }
  /** A request with spans that have not ended: sent if the collector takes it now, and counted nowhere. */
  | { readonly kind: 'pending-spans'; readonly bytes: Uint8Array }
  | { readonly kind: 'stop' }

/** What is known of a span that has not ended: a request with this one span. */
export interface OpenSpanSnapshot {
  /** Names the span for as long as it is open; a later snapshot of it has the same. */
  readonly openId: number
  readonly bytes: Uint8Array
}

export type WorkerMessage = ExportEvent | SpoolEvent | SaidMessage

/** A line for the diagnostics. */
interface SaidMessage {
  readonly kind: 'said'
  readonly message: string
}

/** Where a chunk was when it was settled: `adopted` ones came from a process that is gone. */
export interface SettledChunk {
  /** 0: not one that this process handed over as far as it knows. */
  readonly chunkId: number
  readonly itemCount: number
  readonly place: 'memory' | 'spool' | 'adopted'
}

/** What became of chunks. Each chunk is settled exactly once, by `delivered` or by `dropped`. */
export type ExportEvent =
  | {
      readonly kind: 'delivered'
      readonly chunks: readonly SettledChunk[]
      /** Items in these chunks that the collector says it rejected. */
      readonly rejectedItemCount: number
      /** What the collector had to say although it took the request; empty when nothing. */
      readonly note: string
    }
  | {
      readonly kind: 'dropped'
      readonly chunks: readonly SettledChunk[]
      readonly reason: DropReason
      readonly cause: string
    }
  | { readonly kind: 'attempt-failed'; readonly cause: string; readonly retryDelayMs: number }

/** What happens between the worker and the disk. */
export type SpoolEvent =
  /** They are on disk; the worker keeps no claim on the host's memory but for what it is sending right now. */
  | { readonly kind: 'spooled'; readonly chunkIds: readonly number[] }
  | { readonly kind: 'spool-failed'; readonly reason: string; readonly cause: string }
  | { readonly kind: 'saved' }
  | { readonly kind: 'room-made' }
  /** The worker writes into this owner's folder. */
  | { readonly kind: 'spool-owner'; readonly ownerId: string }
  | { readonly kind: 'adopted'; readonly owner: AdoptedProcess }
  /** Spans that were open when their process died are delivered as interrupted; `owner.itemCount` is theirs. */
  | { readonly kind: 'interrupted'; readonly owner: AdoptedProcess }

/** Whose spans were adopted. */
export interface AdoptedProcess {
  readonly name: string
  readonly pid: number
  readonly host: string
  readonly ending: 'died' | 'released' | 'silent'
  readonly reason: string | undefined
  readonly lastSeenMs: number
  readonly itemCount: number
  /** It was an earlier export thread of this very exporter: its items are in the ledger already. */
  readonly isOwn: boolean
}

/** How requests are encoded and carried. */
export type OtlpProtocol = 'grpc' | 'http/protobuf' | 'http/json'

/** OpenTelemetry's signals that this package exports; also the last part of their HTTP path. */
export type SignalName = 'traces' | 'logs'

/** What the worker thread is started with. */
export interface WorkerStart {
  readonly config: WorkerConfig
  readonly port: MessagePort
  readonly control: Int32Array
  /** Owners of spool folders that earlier export threads of this exporter left when they crashed. */
  readonly deadOwnerIds: readonly string[]
}

/** The worker's configuration: plain data only, since it crosses a thread. */
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
  /** undefined: nothing is written to disk. */
  readonly spool: SpoolConfig | undefined
}

/** Where and how the spool keeps chunks that are not delivered. */
export interface SpoolConfig {
  readonly mode: 'on-failure' | 'always'
  /** Absolute; this signal's own. */
  readonly dir: string
  /** What the program calls itself, for those who adopt its spans. */
  readonly name: string
  readonly bytesMax: number
  readonly ageMsMax: number
  readonly dropWhenFull: 'newest' | 'oldest'
  /** `on-failure`: how long a chunk may wait for its acknowledgement before it is written. */
  readonly ackMsMax: number
  /** What the host has not handed over after so long is copied from its open chunk. */
  readonly openMsMax: number
  readonly adoptIntervalMs: number
  readonly replayBytesPerSecondMax: number
  /** A process of its own delivers what is left at the end of this one. */
  readonly flusher: boolean
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
