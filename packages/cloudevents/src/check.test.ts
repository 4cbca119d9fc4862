import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type CloudEvent, checkEvent, checkTransmission, type Transmission } from './index.ts'
import { fullEvent, traceparent } from './testing/events.ts'

const other = `00-${'a'.repeat(32)}-${'b'.repeat(16)}-01`

function codesOf(change: Partial<Record<keyof CloudEvent, unknown>>): string[] {
  return checkEvent({ ...fullEvent, ...change } as CloudEvent).map(({ code }) => code)
}

function transmissionCodes(
  extensions: CloudEvent['extensions'],
  transmission: Omit<Transmission, 'event'>,
): string[] {
  return checkTransmission({ event: { ...fullEvent, extensions }, ...transmission }).map(({ code }) => code)
}

function many(count: number): string {
  return Array.from({ length: count }, (_, i) => `k${i}=v`).join(',')
}

test('an event without fault has no violation, with and without the extension', () => {
  assert.deepEqual(checkEvent(fullEvent), [])
  assert.deepEqual(
    codesOf({ extensions: { traceparent, tracestate: 'rojo=00f067aa0ba902b7, congo=t61rcWkgMzE' } }),
    [],
  )
  assert.deepEqual(codesOf({ extensions: { traceparent: `01${traceparent.slice(2)}-what-is-to-come` } }), [])
  assert.deepEqual(
    codesOf({ time: '1990-12-31T23:59:60Z', source: 'urn:a:b', datacontenttype: 'text/plain; a=b' }),
    [],
  )
})

test('each violation of the core specification has its code', () => {
  const cases: [Partial<Record<keyof CloudEvent, unknown>>, string[]][] = [
    [{ id: undefined }, ['invalid_event']],
    [{ subject: 'a\nb' }, ['invalid_event']],
    [{ extensions: { tenant_id: 'a' } }, ['attribute_name']],
    [{ extensions: { tenantID: 'a' } }, ['attribute_name']],
    [{ extensions: { abcdefghijklmnopqrst: 'a' } }, []],
    [{ extensions: { abcdefghijklmnopqrstu: 'a' } }, ['attribute_name_long']],
    [{ source: 'a b' }, ['source_uri']],
    [{ source: '/100%' }, ['source_uri']],
    [{ dataschema: '/relative' }, ['dataschema_uri']],
    [{ time: '2018-04-05 17:31:00Z' }, ['time_format']],
    [{ time: '2018-02-30T17:31:00Z' }, ['time_format']],
    [{ time: '2018-04-05T17:31:00' }, ['time_format']],
    [{ datacontenttype: 'json' }, ['datacontenttype_format']],
  ]
  for (const [change, codes] of cases) assert.deepEqual(codesOf(change), codes, JSON.stringify(change))
})

test('each violation of the distributed-tracing extension has its code', () => {
  const cases: [Record<string, unknown>, string[]][] = [
    [{ tracestate: 'a=1' }, ['traceparent_missing']],
    [{ traceparent: 7 }, ['traceparent_type']],
    [{ traceparent: '' }, ['traceparent_empty']],
    [{ traceparent: 'x' }, ['traceparent_format']],
    [{ traceparent: traceparent.toUpperCase() }, ['traceparent_format']],
    [{ traceparent: `${traceparent}-more` }, ['traceparent_format']],
    [{ traceparent: `ff${traceparent.slice(2)}` }, ['traceparent_format']],
    [{ traceparent: `00-${'0'.repeat(32)}-${'b'.repeat(16)}-01` }, ['traceparent_format']],
    [{ traceparent: '0'.repeat(1_000_000) }, ['traceparent_format']],
    [{ traceparent, tracestate: true }, ['tracestate_type']],
    [{ traceparent, tracestate: 'a' }, ['tracestate_format']],
    [{ traceparent, tracestate: 'a=1,a=2' }, ['tracestate_format']],
    [{ traceparent, tracestate: many(32) }, []],
    [{ traceparent, tracestate: many(33) }, ['tracestate_format']],
    [{ traceparent, tracestate: `a=${'v'.repeat(1_000_000)}` }, ['tracestate_format']],
  ]
  for (const [extensions, codes] of cases) {
    assert.deepEqual(codesOf({ extensions }), codes, JSON.stringify(extensions).slice(0, 100))
  }
  assert.deepEqual(checkEvent({ ...fullEvent, extensions: { tracestate: 'a=1' } }), [
    {
      code: 'traceparent_missing',
      level: 'must',
      text: 'tracestate without traceparent, which the extension requires',
    },
  ])
})

test('on one hop the envelope equals the header; over several it stays what it was', () => {
  const own = { traceparent, tracestate: 'a=1,b=2' }
  const same = { TraceParent: traceparent, tracestate: ['a=1', 'b=2'] }
  const sent = { ...fullEvent, extensions: own }
  assert.deepEqual(transmissionCodes(own, { headers: same, hops: 'one' }), [])
  assert.deepEqual(transmissionCodes(own, { headers: { traceparent: other }, hops: 'one' }), [
    'header_differs',
  ])
  assert.deepEqual(transmissionCodes(own, { headers: { traceparent }, hops: 'one' }), ['header_differs'])
  assert.deepEqual(transmissionCodes({ traceparent }, { headers: same, hops: 'one' }), ['header_differs'])
  assert.deepEqual(transmissionCodes(own, { headers: {}, hops: 'one' }), [], 'no header, nothing to equal')
  assert.deepEqual(transmissionCodes({}, { headers: same, hops: 'one' }), [], 'the extension is not used')
  assert.deepEqual(transmissionCodes(own, { headers: { traceparent: other }, hops: 'many', sent }), [])
  const rewritten = transmissionCodes(
    { traceparent: other },
    { headers: { traceparent: other }, hops: 'many', sent },
  )
  assert.deepEqual(rewritten, ['envelope_rewritten'])
  assert.deepEqual(transmissionCodes({}, { headers: {}, hops: 'many', sent }), ['envelope_rewritten'])
  assert.deepEqual(transmissionCodes({ traceparent }, { headers: {}, hops: 'many', sent }), [
    'envelope_rewritten',
  ])
  const added = transmissionCodes(own, { headers: {}, hops: 'many', sent: fullEvent })
  assert.deepEqual(added, [], 'a hop may add what the source left out')
})
