/**
 * Decoded OTLP as plain data, close to OTLP/JSON: ids in lower-case hex, times and 64-bit counts as bigint, enumerations
 * as their numbers, and every field present (empty or 0 where the sender left it out, as protobuf does).
 */

/**
 * An attribute's value. An int64 is a number where a number holds it exactly and a bigint beyond; a number that is an
 * integer is written as an int64 again, so the value survives a round trip and the distinction of 1 and 1.0 does not.
 * null: an AnyValue with nothing in it.
 */
export type DecodedValue =
  | string
  | number
  | bigint
  | boolean
  | null
  | Uint8Array
  | readonly DecodedValue[]
  | DecodedKeyValueList

/** An AnyValue of type kvlist. */
export interface DecodedKeyValueList {
  readonly entries: readonly DecodedKeyValue[]
}

/** An attribute. Keys may repeat; order is the sender's. */
export interface DecodedKeyValue {
  readonly key: string
  readonly value: DecodedValue
}

/** What produced the data. */
export interface DecodedResource {
  readonly attributes: readonly DecodedKeyValue[]
  readonly droppedAttributesCount: number
}

/** The instrumentation scope. */
export interface DecodedScope {
  readonly name: string
  readonly version: string
  readonly attributes: readonly DecodedKeyValue[]
  readonly droppedAttributesCount: number
}

/** A request with traces: `ExportTraceServiceRequest`, `TracesData`. */
export interface TracesData {
  readonly resourceSpans: readonly DecodedResourceSpans[]
}

/** The spans of one resource. */
export interface DecodedResourceSpans {
  readonly resource: DecodedResource
  readonly schemaUrl: string
  readonly scopeSpans: readonly DecodedScopeSpans[]
}

/** The spans of one instrumentation scope. */
export interface DecodedScopeSpans {
  readonly scope: DecodedScope
  readonly schemaUrl: string
  readonly spans: readonly DecodedSpan[]
}

/** Ids of a wrong length are empty, which a receiver has to refuse; an all-zero parent id is empty too: a root. */
export interface DecodedSpan {
  readonly traceId: string
  readonly spanId: string
  readonly parentSpanId: string
  readonly traceState: string
  /** Low byte: W3C trace flags; bit 8: bit 9 is known; bit 9: the parent is remote. */
  readonly flags: number
  readonly name: string
  readonly kind: number
  readonly startTimeUnixNano: bigint
  readonly endTimeUnixNano: bigint
  readonly attributes: readonly DecodedKeyValue[]
  readonly droppedAttributesCount: number
  readonly events: readonly DecodedEvent[]
  readonly droppedEventsCount: number
  readonly links: readonly DecodedLink[]
  readonly droppedLinksCount: number
  readonly status: DecodedSpanStatus
}

/** `code` 0: unset, 1: ok, 2: error. */
export interface DecodedSpanStatus {
  readonly code: number
  readonly message: string
}

/** An event of a span. */
export interface DecodedEvent {
  readonly timeUnixNano: bigint
  readonly name: string
  readonly attributes: readonly DecodedKeyValue[]
  readonly droppedAttributesCount: number
}

/** A link of a span; ids as in DecodedSpan. */
export interface DecodedLink {
  readonly traceId: string
  readonly spanId: string
  readonly traceState: string
  readonly flags: number
  readonly attributes: readonly DecodedKeyValue[]
  readonly droppedAttributesCount: number
}

/** A request with logs: `ExportLogsServiceRequest`, `LogsData`. */
export interface LogsData {
  readonly resourceLogs: readonly DecodedResourceLogs[]
}

/** The log records of one resource. */
export interface DecodedResourceLogs {
  readonly resource: DecodedResource
  readonly schemaUrl: string
  readonly scopeLogs: readonly DecodedScopeLogs[]
}

/** The log records of one instrumentation scope. */
export interface DecodedScopeLogs {
  readonly scope: DecodedScope
  readonly schemaUrl: string
  readonly logRecords: readonly DecodedLogRecord[]
}

/** A log record. Ids are empty when it was written outside of any span; a time of 0 is unknown. */
export interface DecodedLogRecord {
  readonly timeUnixNano: bigint
  readonly observedTimeUnixNano: bigint
  readonly severityNumber: number
  readonly severityText: string
  readonly body: DecodedValue
  readonly attributes: readonly DecodedKeyValue[]
  readonly droppedAttributesCount: number
  readonly flags: number
  readonly traceId: string
  readonly spanId: string
  readonly eventName: string
}
