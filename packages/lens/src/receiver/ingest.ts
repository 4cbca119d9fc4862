import { limits } from '../limits.ts'
import type { TelemetryBatch, TraceStore } from '../store.ts'

/** How an export request ended, before it is put into the words of HTTP or gRPC. */
export type IngestOutcome =
  /** Stored, except for what was refused for good, with the reason: OTLP's partial success. */
  | { readonly kind: 'stored'; readonly rejectedCount: number; readonly reason: string }
  /** Try again later: too much is waiting to be stored, or storing failed. */
  | { readonly kind: 'unavailable'; readonly reason: string }

/** A decoded request: what is fit to be stored, and how much is not. */
export interface IngestBatch extends TelemetryBatch {
  readonly signal: Signal
  readonly rejectedCount: number
  readonly rejectReason: string
}

/** What OTLP carries, each to an address of its own. */
export type Signal = 'traces' | 'logs' | 'metrics'

export interface IngestCounters {
  receivedSpansCount: number
  receivedLogsCount: number
  refusedSpansCount: number
  refusedLogsCount: number
  /** Lens keeps no metrics: all of them. */
  refusedMetricPointsCount: number
}

const refusedCounters = {
  traces: 'refusedSpansCount',
  logs: 'refusedLogsCount',
  metrics: 'refusedMetricPointsCount',
} as const satisfies Readonly<Record<Signal, keyof IngestCounters>>

/** The way of both receivers into the store. Answers after the store has the spans, so that an accepted span is a kept span. */
export class Ingest {
  readonly counters: IngestCounters = {
    receivedSpansCount: 0,
    receivedLogsCount: 0,
    refusedSpansCount: 0,
    refusedLogsCount: 0,
    refusedMetricPointsCount: 0,
  }
  readonly #store: TraceStore
  #pendingCount = 0

  constructor(store: TraceStore) {
    this.#store = store
  }

  async take(batch: IngestBatch): Promise<IngestOutcome> {
    const itemCount = batch.spans.length + batch.logs.length
    // One request alone is taken at any size, which the receivers bound in bytes: else it could never succeed.
    if (this.#pendingCount > 0 && this.#pendingCount + itemCount > limits.pendingSpansMax)
      return {
        kind: 'unavailable',
        reason: `${this.#pendingCount} spans are waiting to be stored; at most ${limits.pendingSpansMax} may`,
      }
    this.#pendingCount += itemCount
    try {
      await this.#store.append(batch)
    } catch (error) {
      const text = error instanceof Error ? error.message : String(error)
      console.error(`throughline lens: could not store ${itemCount} spans: ${text}`)
      return { kind: 'unavailable', reason: `storing failed: ${text}` }
    } finally {
      this.#pendingCount -= itemCount
    }
    this.counters.receivedSpansCount += batch.spans.length
    this.counters.receivedLogsCount += batch.logs.length
    this.counters[refusedCounters[batch.signal]] += batch.rejectedCount
    return { kind: 'stored', rejectedCount: batch.rejectedCount, reason: batch.rejectReason }
  }
}
