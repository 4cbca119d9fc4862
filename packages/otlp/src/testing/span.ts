import type { ScopeRecord, SpanRecord } from '../span-record.ts'

export const httpScope: ScopeRecord = { name: 'http', version: '1.0', schemaUrl: '', flatAttributes: [] }

/** A root span with nothing optional, and what is given. */
export function spanRecord(fields: Partial<SpanRecord> = {}): SpanRecord {
  return {
    traceId0: 1,
    traceId1: 2,
    traceId2: 3,
    traceId3: 4,
    spanId0: 5,
    spanId1: 6,
    parentSpanId0: 0,
    parentSpanId1: 0,
    parentIsRemote: false,
    traceFlags: 1,
    traceStateText: '',
    name: 'GET',
    otlpKind: 2,
    startTimeMs: 1,
    endTimeMs: 2,
    flatAttributes: [],
    attributeBlock: undefined,
    droppedAttributesCount: 0,
    eventRecords: undefined,
    droppedEventsCount: 0,
    linkRecords: undefined,
    droppedLinksCount: 0,
    statusCode: 0,
    statusMessage: '',
    scope: httpScope,
    ...fields,
  }
}
