import type { LogRecord, Span, SpanState } from './model.ts'

export interface TelemetryBatch {
  readonly spans: readonly Span[]
  readonly logs: readonly LogRecord[]
}

export interface TraceQuery {
  /** At most this many spans come back, the earliest ones first; `truncated` tells that there are more. */
  readonly spansMax: number
  /** false leaves `Span.attributes` out, which makes a large trace several times cheaper to read. */
  readonly attributes: boolean
}

export interface StoredTrace {
  readonly spans: readonly Span[]
  readonly logs: readonly LogRecord[]
  readonly truncated: boolean
}

export interface TraceFilter {
  /** Only traces with a span of this service. */
  readonly service?: string
  /** true: only traces with a span of status ERROR. */
  readonly errorsOnly?: boolean
  readonly durationMsMin?: number
  /** Only traces with a span in this state. */
  readonly state?: SpanState
  readonly limit: number
}

export interface TraceSummary {
  readonly traceId: string
  /** The root's name, or, with the root missing, that of the earliest span. */
  readonly rootName: string
  readonly rootService: string
  /** In alphabetical order. */
  readonly services: readonly string[]
  readonly spanCount: number
  readonly errorCount: number
  /** Spans that have not ended yet, as far as is known. */
  readonly pendingCount: number
  /** Spans whose process died before their end. */
  readonly interruptedCount: number
  readonly startTimeUnixNano: bigint
  readonly durationMs: number
}

export interface ServiceSummary {
  readonly name: string
  readonly spanCount: number
  readonly errorCount: number
}

export interface RetentionLimits {
  readonly nowMs: number
  readonly ageMsMax: number
  /** Uncompressed bytes of all spans and logs; the newest ones stay. */
  readonly bytesMax: number
}

export interface RetentionResult {
  readonly deletedSpansCount: number
  readonly deletedLogsCount: number
}

/**
 * Where spans and logs are kept. One suite, `testTraceStore` in `src/testing`, says what every implementation MUST do.
 *
 * A store MUST treat all spans with one (traceId, spanId) as one span, wherever it counts or returns spans: one without a
 * `state` before an interrupted one before a pending one, in whatever order they arrive, since a span may be told of while
 * it runs, and given up for dead before its end is delivered. Of several pending ones the last arrival is the one, of the
 * others the first, since OTLP may deliver twice. It MUST give back what it took, to the nanosecond and the last attribute.
 */
export interface TraceStore {
  /** Resolves when the batch is kept: a store on a file MUST NOT lose it from then on, even if the process is killed. */
  append(batch: TelemetryBatch): Promise<void>
  /** Spans by start time, logs by time; undefined when no span of the trace is known. `traceId` is lower-case hex. */
  trace(traceId: string, query: TraceQuery): Promise<StoredTrace | undefined>
  /** One span with its attributes. */
  span(traceId: string, spanId: string): Promise<Span | undefined>
  /** The traces that started last, newest first. */
  traces(filter: TraceFilter): Promise<readonly TraceSummary[]>
  /** Every service with spans, in alphabetical order. */
  services(): Promise<readonly ServiceSummary[]>
  /** Deletes what arrived longer than `ageMsMax` ago, then the oldest arrivals until `bytesMax` holds. */
  applyRetention(limits: RetentionLimits): Promise<RetentionResult>
  /** Waits for appends under way. Afterwards every method rejects with `store_closed`. MUST be callable twice. */
  close(): Promise<void>
}
