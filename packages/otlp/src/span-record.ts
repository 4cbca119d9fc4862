/**
 * One ended span as the encoder reads it: plain fields, no methods, no copies. A tracer's span object may satisfy this
 * interface by itself, so that nothing is converted between `end()` and the wire.
 *
 * Ids are big-endian 32-bit words as signed or unsigned numbers (only the low 32 bits count). Times are milliseconds
 * relative to the `originUnixNano` that the encoder is given, with a fraction down to nanoseconds.
 */
export interface SpanRecord {
  readonly traceId0: number
  readonly traceId1: number
  readonly traceId2: number
  readonly traceId3: number
  readonly spanId0: number
  readonly spanId1: number
  /** Both words 0: the span is a root. */
  readonly parentSpanId0: number
  readonly parentSpanId1: number
  readonly parentIsRemote: boolean
  /** W3C trace flags of the span's own context (bits 0-7: sampled 1, random 2). */
  readonly traceFlags: number
  /** The serialized tracestate header; empty when there is none. */
  readonly traceStateText: string
  readonly name: string
  /** OTLP's SpanKind number: 1 INTERNAL, 2 SERVER, 3 CLIENT, 4 PRODUCER, 5 CONSUMER. */
  readonly otlpKind: number
  readonly startTimeMs: number
  /** NaN for a span that has not ended: written as 0, OTLP's word for a time that is not known. */
  readonly endTimeMs: number
  /** Flat: key, value, key, value. Values are of type AttributeValue. */
  readonly flatAttributes: FlatAttributes
  /** Attributes that many spans share (facts of one connection); written before `flatAttributes`. */
  readonly attributeBlock: AttributeBlock | undefined
  readonly droppedAttributesCount: number
  readonly eventRecords: readonly EventRecord[] | undefined
  readonly droppedEventsCount: number
  readonly linkRecords: readonly LinkRecord[] | undefined
  readonly droppedLinksCount: number
  /** OTLP's StatusCode number: 0 UNSET, 1 OK, 2 ERROR. */
  readonly statusCode: number
  readonly statusMessage: string
  readonly scope: ScopeRecord
}

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
 * A fixed set of attributes that is encoded once. Whoever makes it never changes `entries`; the encoder owns `encoded`
 * and fills it at first use (a block belongs to one encoder).
 */
export interface AttributeBlock {
  readonly entries: FlatAttributes
  encoded: Uint8Array | undefined
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

/** The instrumentation scope. The encoder compares scopes by identity, so a tracer reuses one object. */
export interface ScopeRecord {
  readonly name: string
  readonly version: string
  readonly schemaUrl: string
  readonly flatAttributes: FlatAttributes
}
