/** What an attribute can hold here: JSON, since that is how it is stored, sent to the page and read by people. */
export type AttributeValue =
  | string
  | number
  | boolean
  | null
  | readonly AttributeValue[]
  | { readonly [key: string]: AttributeValue }

export type Attributes = Readonly<Record<string, AttributeValue>>

/** OTLP's SpanKind by number: 0 UNSPECIFIED (drawn as INTERNAL), 1 INTERNAL, 2 SERVER, 3 CLIENT, 4 PRODUCER, 5 CONSUMER. */
export type SpanKind = 0 | 1 | 2 | 3 | 4 | 5

/** OTLP's StatusCode by number: 0 UNSET, 1 OK, 2 ERROR. */
export type StatusCode = 0 | 1 | 2

/** The resource and the instrumentation scope of many spans. Spans of one request share the object. */
export interface Source {
  /** The resource's `service.name`, or `unknown_service` when it has none. */
  readonly service: string
  readonly resource: Attributes
  readonly scopeName: string
  readonly scopeVersion: string
  readonly scopeAttributes: Attributes
}

export interface SpanEvent {
  readonly timeUnixNano: bigint
  readonly name: string
  readonly attributes: Attributes
}

export interface SpanLink {
  readonly traceId: string
  readonly spanId: string
  readonly attributes: Attributes
}

/** A span that its program has not ended: it runs, or its process died before it could. */
export type SpanState = 'pending' | 'interrupted'

/** One span as Lens keeps it. Ids are lower-case hex; an empty `parentSpanId` means a root. */
export interface Span {
  readonly traceId: string
  readonly spanId: string
  readonly parentSpanId: string
  readonly traceState: string
  readonly name: string
  readonly kind: SpanKind
  readonly startTimeUnixNano: bigint
  /** Of a pending span: until when it was seen to be open. */
  readonly endTimeUnixNano: bigint
  /** Absent when its program ended it. */
  readonly state?: SpanState
  /** Of an interrupted span, how its process died; absent when nobody said. */
  readonly interruption?: string
  readonly statusCode: StatusCode
  readonly statusMessage: string
  /** Absent when the reader asked for spans without attributes. */
  readonly attributes?: Attributes
  readonly events: readonly SpanEvent[]
  readonly links: readonly SpanLink[]
  /** Attributes, events and links that the sender dropped before sending. */
  readonly droppedCount: number
  readonly source: Source
}

/** One log record. `traceId` and `spanId` are empty for a record written outside any span. */
export interface LogRecord {
  readonly traceId: string
  readonly spanId: string
  readonly timeUnixNano: bigint
  readonly severityNumber: number
  readonly severityText: string
  readonly body: AttributeValue
  readonly attributes: Attributes
  readonly source: Source
}
