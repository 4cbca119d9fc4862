import type { Span } from '@opentelemetry/api'
import type { IdWords } from './words.ts'

/** OpenTelemetry's attribute values: primitives, and arrays of one primitive type in which null or undefined may stand. */
export type AttributeValue =
  | string
  | number
  | boolean
  | readonly (string | null | undefined)[]
  | readonly (number | null | undefined)[]
  | readonly (boolean | null | undefined)[]

/** key, value, key, value: even indexes hold strings, odd ones values. */
export type FlatAttributes = readonly (string | AttributeValue)[]

/**
 * Attributes that many spans share (the facts of one connection). Whoever makes a block never changes `entries`;
 * `encoded` belongs to the sink that encodes the block.
 */
export interface AttributeBlock {
  readonly entries: FlatAttributes
  encoded: Uint8Array | undefined
}

/** A span that records, as our own instrumentation sees it. */
export interface RecordingSpan extends Span {
  /** Gives the span a list of its own. It must be valid, its keys distinct and new to the span; the caller lets go of it. */
  setFlatAttributes(attributes: (string | AttributeValue)[]): this
}

/** An event; `timeMs` counts from the clock's origin, as a span's times do. */
export interface EventRecord {
  readonly name: string
  readonly timeMs: number
  readonly flatAttributes: FlatAttributes
  readonly droppedAttributesCount: number
}

/** `traceId` and `spanId` are 32 and 16 lower-case hex characters. */
export interface LinkRecord {
  readonly traceId: string
  readonly spanId: string
  readonly traceFlags: number
  readonly isRemote: boolean
  readonly traceStateText: string
  readonly flatAttributes: FlatAttributes
  readonly droppedAttributesCount: number
}

/** An instrumentation scope; one object per tracer, so that sinks may compare by identity. */
export interface ScopeRecord {
  readonly name: string
  readonly version: string
  readonly schemaUrl: string
  readonly flatAttributes: FlatAttributes
}

/**
 * An ended span as a {@link SpanSink} gets it. Times are milliseconds relative to the provider clock's `originUnixNano`.
 * It does not change any more and may be kept.
 */
export interface RecordedSpan extends Readonly<IdWords> {
  /** Both words 0: the span is a root. */
  readonly parentSpanId0: number
  readonly parentSpanId1: number
  readonly parentIsRemote: boolean
  readonly traceFlags: number
  /** The serialized tracestate; empty when there is none. */
  readonly traceStateText: string
  readonly name: string
  /** OTLP's SpanKind number: 1 INTERNAL, 2 SERVER, 3 CLIENT, 4 PRODUCER, 5 CONSUMER. */
  readonly otlpKind: number
  readonly startTimeMs: number
  readonly endTimeMs: number
  readonly flatAttributes: FlatAttributes
  /** Shared attributes; none of their keys is in `flatAttributes`. */
  readonly attributeBlock: AttributeBlock | undefined
  readonly droppedAttributesCount: number
  readonly eventRecords: readonly EventRecord[] | undefined
  readonly droppedEventsCount: number
  readonly linkRecords: readonly LinkRecord[] | undefined
  readonly droppedLinksCount: number
  /** 0 UNSET, 1 OK, 2 ERROR. */
  readonly statusCode: number
  readonly statusMessage: string
  readonly scope: ScopeRecord
}

/**
 * Where ended spans go. `onEnd` is called synchronously inside `span.end()`, once for every sampled span, also after
 * `shutdown` (so that a ledger can count what came too late); it MUST NOT throw and SHOULD only enqueue.
 */
export interface SpanSink {
  onEnd(span: RecordedSpan): void
  /** Resolves when everything that ended before the call was exported or given up; with what is the sink's affair. */
  forceFlush(): Promise<unknown>
  /** Flushes, then refuses. */
  shutdown(): Promise<unknown>
}
