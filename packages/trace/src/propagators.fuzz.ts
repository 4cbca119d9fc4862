import assert from 'node:assert/strict'
import { test } from 'node:test'
import { defaultTextMapGetter, defaultTextMapSetter, ROOT_CONTEXT, trace } from '@opentelemetry/api'
import * as fc from 'fast-check'
import { formatBaggage, parseBaggage } from './baggage-text.ts'
import { formatTraceparent, parseTraceparent } from './traceparent.ts'
import { normalizeTraceState, traceStateCharsMax } from './tracestate.ts'
import { w3cTraceContextPropagator } from './w3c-trace-context-propagator.ts'

// fast-check prints seed and path of a failure; put them into these parameters to replay it.
const runs = { numRuns: 2000 }

const grammar = /^(?!ff)[0-9a-f]{2}-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}$/
const hex = (length: number): fc.Arbitrary<string> =>
  fc.string({ unit: fc.constantFrom(...'0123456789abcdef'.split('')), minLength: length, maxLength: length })
const traceparents = fc.tuple(hex(2), hex(32), hex(16), hex(2)).map((fields) => fields.join('-'))
/** A traceparent with one character replaced, added or taken away. */
const nearly = fc
  .tuple(traceparents, fc.nat(56), fc.string({ maxLength: 2, unit: 'binary' }), fc.nat(1))
  .map(([text, index, inserted, removed]) => text.slice(0, index) + inserted + text.slice(index + removed))

test('traceparent: accepted exactly when a regular expression of the grammar accepts it', () => {
  fc.assert(
    fc.property(fc.oneof(traceparents, nearly), (text) => {
      const trimmed = text.replaceAll(/^[ \t]+|[ \t]+$/g, '')
      const future = /^[0-9a-f]{2}/.test(trimmed) && !trimmed.startsWith('00')
      const head = trimmed.slice(0, 55)
      const tail = trimmed.slice(55)
      const valid = grammar.test(head) && (tail === '' || (future && tail.startsWith('-')))
      const span = parseTraceparent(text)
      assert.equal(span !== undefined, valid)
      if (span !== undefined) assert.equal(formatTraceparent(span).slice(3, 52), head.slice(3, 52))
    }),
    runs,
  )
})

test('tracestate: never throws, stays within its limit, and a normalized text is stable', () => {
  const member = fc
    .tuple(fc.string({ maxLength: 20 }), fc.string({ maxLength: 300 }))
    .map((pair) => pair.join('='))
  fc.assert(
    fc.property(
      fc.oneof(
        fc.string({ unit: 'binary' }),
        fc.array(member).map((list) => list.join(',')),
      ),
      (text) => {
        const normalized = normalizeTraceState(text)
        assert.ok(normalized.length <= traceStateCharsMax)
        assert.match(normalized, /^[\x20-\x7e]*$/)
        assert.equal(normalizeTraceState(normalized), normalized)
      },
    ),
    runs,
  )
})

test('baggage: what is written is read again, and reading never throws', () => {
  const keys = fc.string({ minLength: 1, maxLength: 12, unit: 'grapheme' })
  const values = fc.string({ maxLength: 40, unit: 'grapheme' })
  fc.assert(
    fc.property(
      fc.dictionary(keys, values, { maxKeys: 8 }),
      fc.string({ unit: 'binary' }),
      (entries, garbage) => {
        const text = formatBaggage(Object.entries(entries).map(([key, value]) => [key, { value }]))
        const read = Object.entries(parseBaggage(text) ?? {}).map(([key, entry]) => [key, entry.value])
        assert.deepEqual(read, Object.entries(entries))
        parseBaggage(garbage)
      },
    ),
    runs,
  )
})

test('extract gives a valid span or none, whatever the headers hold', () => {
  const propagator = w3cTraceContextPropagator()
  fc.assert(
    fc.property(fc.oneof(nearly, fc.anything()), fc.anything(), (traceparent, tracestate) => {
      const context = propagator.extract(ROOT_CONTEXT, { traceparent, tracestate }, defaultTextMapGetter)
      const spanContext = trace.getSpanContext(context)
      if (spanContext !== undefined) assert.ok(trace.isSpanContextValid(spanContext))
      propagator.inject(context, {}, defaultTextMapSetter)
    }),
    runs,
  )
})
