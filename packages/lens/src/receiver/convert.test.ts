import assert from 'node:assert/strict'
import { it } from 'node:test'
import { decodeRequest } from './codec.ts'

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
  const body = Buffer.from(JSON.stringify({ resourceSpans: [{ scopeSpans: [{ spans: [span] }] }] }))
  const batch = decodeRequest(body, { signal: 'traces', encoding: 'json' })
  assert.ok('spans' in batch)
  assert.equal(
    JSON.stringify(batch.spans[0]?.attributes),
    '{"__proto__":"own","twice":"last","large":"9223372036854775807","nothing":null,"map":{"a":[true]}}',
  )
})
