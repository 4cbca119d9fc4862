import type { SpanRecord } from '@throughline/otlp'

const scope = { name: 'test', version: '', schemaUrl: '', flatAttributes: [] }

/** A small ended span; `index` is in its ids and its name. */
export function testSpan(index: number, changes: Partial<SpanRecord> = {}): SpanRecord {
  return {
    traceId0: 0x4bf92f35,
    traceId1: 0x77b34da6,
    traceId2: 0xa3ce929d,
    traceId3: index,
    spanId0: 0x00f067aa,
    spanId1: index + 1,
    parentSpanId0: 0,
    parentSpanId1: 0,
    parentIsRemote: false,
    traceFlags: 1,
    traceStateText: '',
    name: `span ${index}`,
    otlpKind: 1,
    startTimeMs: 1.5,
    endTimeMs: 2.75,
    flatAttributes: ['index', index],
    attributeBlock: undefined,
    droppedAttributesCount: 0,
    eventRecords: undefined,
    droppedEventsCount: 0,
    linkRecords: undefined,
    droppedLinksCount: 0,
    statusCode: 0,
    statusMessage: '',
    scope,
    ...changes,
  }
}
