import * as fc from 'fast-check'
import type {
  DecodedKeyValue,
  DecodedLogRecord,
  DecodedResource,
  DecodedScope,
  DecodedSpan,
  DecodedValue,
  LogsData,
  TracesData,
} from '../model.ts'

/** Records like literals: fast-check's own have no prototype at times, which deepEqual minds. */
export function record<T>(model: { [K in keyof T]: fc.Arbitrary<T[K]> }): fc.Arbitrary<T> {
  return fc.record(model, { noNullPrototype: true }) as fc.Arbitrary<T>
}

const text = fc.oneof(fc.string({ maxLength: 20 }), fc.string({ unit: 'grapheme', maxLength: 60 }))
const uint32 = fc.integer({ min: 0, max: 0xffffffff })
const uint64 = fc.bigInt({ min: 0n, max: 0xffffffffffffffffn })
const beyondSafe = fc.oneof(
  fc.bigInt({ min: -(2n ** 63n), max: -(2n ** 53n) }),
  fc.bigInt({ min: 2n ** 53n, max: 2n ** 63n - 1n }),
)

function id(sizeBytes: number): fc.Arbitrary<string> {
  return fc
    .uint8Array({ minLength: sizeBytes, maxLength: sizeBytes })
    .map((bytes) => Buffer.from(bytes).toString('hex'))
}

/** An id, or none; never the zeros that a decoder takes for none. */
function optionalId(sizeBytes: number): fc.Arbitrary<string> {
  return fc.oneof(id(sizeBytes), fc.constant('')).map((hex) => (/^0+$/.test(hex) ? '' : hex))
}

const { value, keyValues } = fc.letrec<{ value: DecodedValue; keyValues: DecodedKeyValue[] }>((tie) => ({
  value: fc.oneof(
    { depthSize: 'small', withCrossShrink: true },
    text,
    fc.double(),
    fc.maxSafeInteger(),
    beyondSafe,
    fc.boolean(),
    fc.constant(null),
    // uint8Array makes subarrays at times; a decoded value owns its buffer.
    fc.uint8Array({ maxLength: 200 }).map((bytes) => Uint8Array.from(bytes)),
    fc.array(tie('value'), { maxLength: 4 }),
    tie('keyValues').map((entries) => ({ entries })),
  ),
  keyValues: fc.array(record({ key: text, value: tie('value') }), { maxLength: 4 }),
}))

const resource: fc.Arbitrary<DecodedResource> = record({
  attributes: keyValues,
  droppedAttributesCount: uint32,
})

const scope: fc.Arbitrary<DecodedScope> = record({
  name: text,
  version: text,
  attributes: keyValues,
  droppedAttributesCount: uint32,
})

const span: fc.Arbitrary<DecodedSpan> = record({
  traceId: optionalId(16),
  spanId: optionalId(8),
  parentSpanId: optionalId(8),
  traceState: text,
  flags: uint32,
  name: text,
  kind: fc.integer({ min: 0, max: 5 }),
  startTimeUnixNano: uint64,
  endTimeUnixNano: uint64,
  attributes: keyValues,
  droppedAttributesCount: uint32,
  events: fc.array(
    record({ timeUnixNano: uint64, name: text, attributes: keyValues, droppedAttributesCount: uint32 }),
    { maxLength: 3 },
  ),
  droppedEventsCount: uint32,
  links: fc.array(
    record({
      traceId: optionalId(16),
      spanId: optionalId(8),
      traceState: text,
      flags: uint32,
      attributes: keyValues,
      droppedAttributesCount: uint32,
    }),
    { maxLength: 3 },
  ),
  droppedLinksCount: uint32,
  status: record({ code: fc.integer({ min: 0, max: 2 }), message: text }),
})

const logRecord: fc.Arbitrary<DecodedLogRecord> = record({
  timeUnixNano: uint64,
  observedTimeUnixNano: uint64,
  severityNumber: fc.integer({ min: 0, max: 24 }),
  severityText: text,
  body: value,
  attributes: keyValues,
  droppedAttributesCount: uint32,
  flags: uint32,
  traceId: optionalId(16),
  spanId: optionalId(8),
  eventName: text,
})

export const tracesData: fc.Arbitrary<TracesData> = record({
  resourceSpans: fc.array(
    record({
      resource,
      schemaUrl: text,
      scopeSpans: fc.array(record({ scope, schemaUrl: text, spans: fc.array(span, { maxLength: 3 }) }), {
        maxLength: 2,
      }),
    }),
    { maxLength: 2 },
  ),
})

export const logsData: fc.Arbitrary<LogsData> = record({
  resourceLogs: fc.array(
    record({
      resource,
      schemaUrl: text,
      scopeLogs: fc.array(
        record({ scope, schemaUrl: text, logRecords: fc.array(logRecord, { maxLength: 3 }) }),
        { maxLength: 2 },
      ),
    }),
    { maxLength: 2 },
  ),
})
