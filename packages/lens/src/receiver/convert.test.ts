import assert from 'node:assert/strict'
import { it } from 'node:test'
import type { Span } from '../model.ts'
import { decodeRequest } from './codec.ts'

const decodeSpans = (...spans: readonly object[]): readonly Span[] => {
  const body = Buffer.from(JSON.stringify({ resourceSpans: [{ scopeSpans: [{ spans }] }] }))
  const batch = decodeRequest(body, { signal: 'traces', encoding: 'json' })
  assert.ok('spans' in batch)
  return batch.spans
}

const state = (stringValue: string): object => ({ key: 'throughline.span.state', value: { stringValue } })
const openMs = (doubleValue: number): object => ({
  key: 'throughline.span.open_ms',
  value: { doubleValue },
})

it('a span says by attributes that it runs or was interrupted; a pending one lasts as long as it was seen', () => {
  const reason = { key: 'throughline.span.interruption', value: { stringValue: 'SIGTERM' } }
  const span = { traceId: '1'.repeat(32), spanId: '1'.repeat(16), startTimeUnixNano: '1000000' }
  const ended = { ...span, endTimeUnixNano: '1000002' }
  const event = { name: 'e', timeUnixNano: '1000009' }
  const spans = decodeSpans(
    ended,
    span,
    { ...ended, attributes: [state('interrupted'), reason] },
    { ...ended, attributes: [state('interrupted')] },
    { ...ended, attributes: [state('something else'), reason] },
    { ...span, attributes: [state('pending'), openMs(2)] },
    { ...span, attributes: [state('pending'), openMs(-2)] },
    { ...span, attributes: [state('pending'), openMs(1e300)] },
    { ...span, attributes: [state('pending')], events: [event] },
    { ...span, startTimeUnixNano: String(2n ** 63n - 1n), attributes: [state('pending'), openMs(2)] },
  )
  assert.deepEqual(
    spans.map(({ state, interruption, endTimeUnixNano }) => [state, interruption, endTimeUnixNano]),
    [
      [undefined, undefined, 1_000_002n],
      [undefined, undefined, 0n],
      ['interrupted', 'SIGTERM', 1_000_002n],
      ['interrupted', undefined, 1_000_002n],
      [undefined, undefined, 1_000_002n],
      ['pending', undefined, 3_000_000n],
      ['pending', undefined, 1_000_000n],
      ['pending', undefined, 1_000_000n],
      ['pending', undefined, 1_000_009n],
      ['pending', undefined, 2n ** 63n - 1n],
    ],
  )
})

it('attributes become what JSON can hold, whatever their keys and types', () => {
  const attributes = [
    { key: '__proto__', value: { stringValue: 'own' } },
    { key: 'twice', value: { stringValue: 'first' } },
    { key: 'twice', value: { stringValue: 'last' } },
    { key: 'large', value: { intValue: '9223372036854775807' } },
    { key: 'nothing', value: {} },
    {
      key: 'map',
      value: {
        kvlistValue: { values: [{ key: 'a', value: { arrayValue: { values: [{ boolValue: true }] } } }] },
      },
    },
  ]
  const span = { traceId: '1'.repeat(32), spanId: '1'.repeat(16), startTimeUnixNano: '1', attributes }
  assert.equal(
    JSON.stringify(decodeSpans(span)[0]?.attributes),
    '{"__proto__":"own","twice":"last","large":"9223372036854775807","nothing":null,"map":{"a":[true]}}',
  )
})
