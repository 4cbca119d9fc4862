import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { type BusEvent, changeMessage, ProtoData } from './bus-event.ts'
import { type EnvelopeFormat, readEnvelope, writeEnvelope } from './envelope.ts'

const traceparent = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01'
const attributes = {
  id: '1',
  type: 'pipeline.changes.deal.update',
  source: 'pipeline',
  time: '2026-03-01T10:00:00.000Z',
  tenantId: 'org-1',
  traceparent,
  tracestate: 'a=b',
  baggage: 'k=v',
}
const proto = new ProtoData('type.googleapis.com/deal', Uint8Array.of(1, 2, 3))

function eventFor(format: EnvelopeFormat): BusEvent {
  return { ...attributes, data: format === 'json' ? { amount: 7 } : proto }
}

function read(
  payload: Uint8Array | string,
  headers: [string, string | string[]][] = [],
): ReturnType<typeof readEnvelope> {
  return readEnvelope(typeof payload === 'string' ? Buffer.from(payload) : payload, headers)
}

describe('the three envelopes', () => {
  for (const format of ['json', 'proto', 'proto-headers'] as const)
    it(`${format}: what is written is what is read, without being told the format`, () => {
      const event = eventFor(format)
      const { payload, headers } = writeEnvelope(event, format)
      const found = readEnvelope(payload, headers)
      assert.equal(found.error, undefined)
      assert.deepEqual({ ...found.event, data: undefined }, { ...event, data: undefined })
      if (event.data instanceof ProtoData) {
        assert.ok(found.event?.data instanceof ProtoData)
        assert.equal(found.event.data.typeUrl, event.data.typeUrl)
        assert.deepEqual([...found.event.data.bytes], [1, 2, 3])
      } else assert.deepEqual(found.event?.data, { amount: 7 })
    })

  it('json has the names that other services read', () => {
    const { payload } = writeEnvelope(eventFor('json'), 'json')
    assert.deepEqual(JSON.parse(Buffer.from(payload).toString()), {
      specversion: '1.0',
      id: '1',
      type: 'pipeline.changes.deal.update',
      source: 'pipeline',
      time: '2026-03-01T10:00:00.000Z',
      datacontenttype: 'application/json',
      tenant_id: 'org-1',
      traceparent,
      tracestate: 'a=b',
      baggage: 'k=v',
      data: { amount: 7 },
    })
  })

  it('proto has the field numbers that other services read', () => {
    const { payload } = writeEnvelope(
      { ...eventFor('proto'), tracestate: undefined, baggage: undefined },
      'proto',
    )
    const text = Buffer.from(payload).toString('latin1')
    // Field 1 and 2 are the first two; field 7 is tag 0x3a, field 8 is 0x42, field 9 is 0x4a.
    assert.ok(text.startsWith('\x0a\x031.0\x12\x011'))
    assert.ok(text.includes('\x3a\x05org-1'))
    assert.ok(text.includes(`\x4a\x37${traceparent}`))
  })

  it('proto-headers has its attributes in headers, which are read in any case and by their first value', () => {
    const { payload, headers } = writeEnvelope(eventFor('proto-headers'), 'proto-headers')
    const shouted = headers.map(
      ([name, value]) => [name.toUpperCase(), [value, 'other']] as [string, string[]],
    )
    assert.equal(readEnvelope(payload, shouted).event?.tenantId, 'org-1')
  })

  it('a missing or blank one of the four headers: the body says what it is', () => {
    const { payload } = writeEnvelope(eventFor('json'), 'json')
    for (const name of ['ce-specversion', 'ce-id', 'ce-type', 'ce-source']) {
      const headers = ['ce-specversion', 'ce-id', 'ce-type', 'ce-source'].map(
        (each) => [each, each === name ? ' ' : '1.0'] as [string, string],
      )
      assert.equal(readEnvelope(payload, headers).event?.source, 'pipeline', name)
    }
  })

  it('data that a format cannot hold is refused when it is written', () => {
    assert.throws(() => writeEnvelope(eventFor('proto'), 'json'), { code: 'invalid_event' })
    assert.throws(() => writeEnvelope(eventFor('json'), 'proto'), { code: 'invalid_event' })
    assert.throws(() => writeEnvelope(eventFor('json'), 'proto-headers'), { code: 'invalid_event' })
  })
})

describe('what is no event is told, not thrown', () => {
  const cases: [string, Uint8Array | string, [string, string][]][] = [
    ['empty', '', []],
    ['broken JSON', '{"specversion":', []],
    ['JSON of another version', '{"specversion":"0.3","id":"1","type":"t","source":"s"}', []],
    ['JSON without an id', '{"specversion":"1.0","type":"t","source":"s"}', []],
    ['an id that is a number', '{"specversion":"1.0","id":1,"type":"t","source":"s"}', []],
    ['a list', '[1]', []],
    ['text', 'hello', []],
    ['bytes', Uint8Array.of(0xff, 0xff, 0xff, 0xff, 0xff, 0xff), []],
    ['too much', Buffer.alloc(16 * 1024 * 1024 + 1, 0x20), []],
    [
      'headers with a body that is none',
      'hello',
      [
        ['ce-specversion', '1.0'],
        ['ce-id', '1'],
        ['ce-type', 't'],
        ['ce-source', 's'],
      ],
    ],
  ]
  for (const [name, payload, headers] of cases)
    it(name, () => {
      const { event, error } = read(payload, headers)
      assert.equal(event, undefined)
      assert.equal(typeof error, 'string')
      assert.ok((error ?? '').length < 200)
    })

  it('a key such as __proto__ is a key like any other', () => {
    const { event } = read('{"__proto__":{"id":"7"},"specversion":"1.0","id":"1","type":"t","source":"s"}')
    assert.equal(event?.id, '1')
  })
})

it('a change names its subject, and its source is the prefix without .changes', () => {
  const change = {
    sequence: 3,
    tenantId: 'org-1',
    aggregateType: 'deal',
    aggregateId: 'd-1',
    operation: 'update',
    aggregateVersion: 2,
    recordedAt: '2026-03-01T10:00:00Z',
    payload: { amount: 7 },
  }
  const { subject, source, data } = changeMessage('pipeline.changes', change)
  assert.equal(subject, 'pipeline.changes.deal.update')
  assert.equal(source, 'pipeline')
  assert.deepEqual(Object.keys(data), [
    'sequence',
    'tenant_id',
    'aggregate_type',
    'aggregate_id',
    'operation',
    'aggregate_version',
    'recorded_at',
    'payload',
  ])
})
