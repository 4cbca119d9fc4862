import * as fc from 'fast-check'
import type {
  AttributeValue,
  EventRecord,
  FlatAttributes,
  LinkRecord,
  ScopeRecord,
  SpanRecord,
} from '../span-record.ts'

/** Every kind of text: ASCII, any plane, lone surrogates, lengths around the limits of one-byte lengths. */
export const text: fc.Arbitrary<string> = fc.oneof(
  { weight: 8, arbitrary: fc.string({ maxLength: 20 }) },
  fc.string({ unit: 'binary', maxLength: 40 }),
  fc
    .array(fc.integer({ min: 0, max: 0xffff }), { maxLength: 10 })
    .map((units) => String.fromCharCode(...units)),
  fc.integer({ min: 90, max: 135 }).map((length) => 'x'.repeat(length)),
  fc.integer({ min: 40, max: 70 }).map((length) => 'é'.repeat(length)),
  fc.integer({ min: 16_370, max: 16_390 }).map((length) => 'y'.repeat(length)),
)

const number = fc.oneof(
  fc.integer(),
  fc.maxSafeInteger(),
  fc.double(),
  fc.constantFrom(Number.NaN, Infinity, -Infinity, 2 ** 53, -(2 ** 53), 2 ** 63, 127, 128, 2 ** 31, -1),
)

const value: fc.Arbitrary<AttributeValue> = fc.oneof(
  text,
  number,
  fc.boolean(),
  fc.array(fc.option(text, { nil: null }), { maxLength: 4 }),
  fc.array(fc.oneof(number, fc.constantFrom(null, undefined)), { maxLength: 20 }),
  fc.array(fc.option(fc.boolean(), { nil: undefined }), { maxLength: 4 }),
)

export const flatAttributes: fc.Arbitrary<FlatAttributes> = fc
  .array(fc.tuple(text, value), { maxLength: 6 })
  .map((pairs) => pairs.flat())

const word = fc.integer({ min: -0x80000000, max: 0xffffffff })
export const count: fc.Arbitrary<number> = fc.integer({ min: 0, max: 0xffffffff })
export const milliseconds: fc.Arbitrary<number> = fc.double({ min: -1e6, max: 1e9, noNaN: true })
export const hex = (length: number): fc.Arbitrary<string> =>
  fc.string({ unit: fc.constantFrom(...'0123456789abcdef'.split('')), minLength: length, maxLength: length })

const event: fc.Arbitrary<EventRecord> = fc.record({
  name: text,
  timeMs: milliseconds,
  flatAttributes,
  droppedAttributesCount: count,
})

const link: fc.Arbitrary<LinkRecord> = fc.record({
  traceId: hex(32),
  spanId: hex(16),
  traceFlags: fc.nat(255),
  isRemote: fc.boolean(),
  traceStateText: text,
  flatAttributes,
  droppedAttributesCount: count,
})

export const scope: fc.Arbitrary<ScopeRecord> = fc.record({
  name: text,
  version: text,
  schemaUrl: text,
  flatAttributes,
})

export const spans: fc.Arbitrary<SpanRecord[]> = fc
  .array(scope, { minLength: 1, maxLength: 3 })
  .chain((scopes) =>
    fc.array(
      fc.record({
        traceId0: word,
        traceId1: word,
        traceId2: word,
        traceId3: word,
        spanId0: word,
        spanId1: word,
        parentSpanId0: fc.oneof(fc.constant(0), word),
        parentSpanId1: fc.oneof(fc.constant(0), word),
        parentIsRemote: fc.boolean(),
        traceFlags: fc.nat(255),
        traceStateText: text,
        name: text,
        otlpKind: fc.integer({ min: 1, max: 5 }),
        startTimeMs: milliseconds,
        endTimeMs: milliseconds,
        flatAttributes,
        attributeBlock: fc.option(
          flatAttributes.map((entries) => ({ entries, encoded: undefined })),
          { nil: undefined },
        ),
        droppedAttributesCount: count,
        eventRecords: fc.option(fc.array(event, { maxLength: 3 }), { nil: undefined }),
        droppedEventsCount: count,
        linkRecords: fc.option(fc.array(link, { maxLength: 3 }), { nil: undefined }),
        droppedLinksCount: count,
        statusCode: fc.integer({ min: 0, max: 2 }),
        statusMessage: text,
        scope: fc.constantFrom(...scopes),
      }),
      { maxLength: 6 },
    ),
  )
