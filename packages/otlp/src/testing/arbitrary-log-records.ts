import * as fc from 'fast-check'
import type { LogRecord, LogValue } from '../log-record.ts'
import { count, hex, milliseconds, scope, text } from './arbitrary-spans.ts'

const int64 = fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n })

const { value } = fc.letrec<{ value: LogValue }>((tie) => ({
  value: fc.oneof(
    { depthSize: 'small', withCrossShrink: true },
    text,
    fc.double(),
    fc.maxSafeInteger(),
    int64,
    fc.boolean(),
    fc.constantFrom(null, undefined),
    fc.uint8Array({ maxLength: 200 }),
    fc.array(tie('value'), { maxLength: 4 }),
    // A key that JavaScript treats in its own way is no plain entry of an object.
    fc.dictionary(
      text.filter((key) => !/^(?:__proto__|toJSON|\d+)$/.test(key)),
      tie('value'),
      { maxKeys: 4 },
    ),
  ),
}))

const ids = fc.oneof(
  fc.constant({ traceId: '', spanId: '' }),
  fc
    .record({ traceId: hex(32), spanId: hex(16) })
    .filter(({ traceId, spanId }) => !/^0+$/.test(traceId + spanId)),
)

/** Records of up to three scopes, with everything that a body or an attribute may be. */
export const logRecords: fc.Arbitrary<LogRecord[]> = fc
  .array(scope, { minLength: 1, maxLength: 3 })
  .chain((scopes) =>
    fc.array(
      fc
        .record({
          timeMs: milliseconds,
          observedTimeMs: milliseconds,
          severityNumber: fc.integer({ min: 0, max: 24 }),
          severityText: text,
          body: value,
          flatAttributes: fc.array(fc.tuple(text, value), { maxLength: 5 }).map((pairs) => pairs.flat()),
          droppedAttributesCount: count,
          traceFlags: fc.nat(255),
          eventName: text,
          scope: fc.constantFrom(...scopes),
        })
        .chain((record) => ids.map((id) => ({ ...record, ...id }))),
      { maxLength: 6 },
    ),
  )
