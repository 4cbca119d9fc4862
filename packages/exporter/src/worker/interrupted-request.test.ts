import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type DecodedSpan, decodeTraces, SpanChunkEncoder, type SpanRecord } from '@throughline/otlp'
import { type DeadProcess, interruptedRequest } from './interrupted-request.ts'

const originUnixNano = 1_700_000_000_000_000_000n
const killed: DeadProcess = {
  pid: 4711,
  host: 'web-01',
  ending: 'died',
  reason: undefined,
  lastSeenMs: 1_700_000_005_000.25,
}
const scope = { name: 'test', version: '1', schemaUrl: '', flatAttributes: [] }

const openSpan = (given: Partial<SpanRecord> = {}): SpanRecord => ({
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
  traceStateText: 'a=1',
  name: 'job',
  otlpKind: 5,
  startTimeMs: 1_000,
  endTimeMs: Number.NaN,
  flatAttributes: ['step', 7, 'throughline.span.state', 'pending', 'throughline.span.open_ms', 2000],
  attributeBlock: undefined,
  droppedAttributesCount: 0,
  eventRecords: undefined,
  droppedEventsCount: 0,
  linkRecords: undefined,
  droppedLinksCount: 0,
  statusCode: 0,
  statusMessage: '',
  scope,
  ...given,
})

function snapshotOf(...spans: readonly SpanRecord[]): Uint8Array {
  const encoder = new SpanChunkEncoder({ originUnixNano, resource: { 'service.name': 'api' } })
  for (const span of spans) encoder.add(span)
  return encoder.finish()
}

function interrupt(span: SpanRecord, process: DeadProcess = killed): DecodedSpan {
  const request = interruptedRequest(snapshotOf(span), process)
  assert.equal(request?.itemCount, 1)
  const [resourceSpans] = decodeTraces(request.payload).value?.resourceSpans ?? []
  assert.deepEqual(resourceSpans?.resource.attributes, [{ key: 'service.name', value: 'api' }])
  assert.equal(resourceSpans.scopeSpans[0]?.scope.name, 'test')
  return resourceSpans.scopeSpans[0].spans[0] ?? assert.fail('no span')
}

test('an open span of a killed process ends when that was last seen, with its death as the reason', () => {
  const event = { name: 'begun', timeMs: 1_500, flatAttributes: [], droppedAttributesCount: 0 }
  const before = decodeTraces(snapshotOf(openSpan({ eventRecords: [event] }))).value?.resourceSpans[0]
    ?.scopeSpans[0]?.spans[0]
  const after = interrupt(openSpan({ eventRecords: [event] }))
  const reason = 'process 4711 on web-01 was killed or crashed, last seen 2023-11-14T22:13:25.000Z'
  assert.deepEqual(after, {
    ...before,
    endTimeUnixNano: 1_700_000_005_000_000_000n,
    attributes: [
      { key: 'step', value: 7 },
      { key: 'throughline.span.state', value: 'interrupted' },
      { key: 'throughline.span.interruption', value: reason },
    ],
    status: { code: 2, message: reason },
  })
})

const messageOf = (given: Partial<DeadProcess>): string =>
  interrupt(openSpan(), { ...killed, ...given }).status.message

test('a process that said how it ended is quoted; one that is only silent is not said to be dead', () => {
  assert.equal(messageOf({ ending: 'released', reason: 'SIGTERM' }), 'process 4711 on web-01 ended: SIGTERM')
  assert.equal(messageOf({ ending: 'released' }), 'process 4711 on web-01 ended')
  assert.match(messageOf({ ending: 'silent' }), /^process 4711 on web-01 is silent, last seen 2023-/)
})

test('it keeps the error that it had, and not the success', () => {
  assert.equal(interrupt(openSpan({ statusCode: 2, statusMessage: 'its own' })).status.message, 'its own')
  assert.equal(interrupt(openSpan({ statusCode: 1 })).status.code, 2)
})

test('it does not end before it started, nor before its last event', () => {
  const early = { ...killed, lastSeenMs: 0 }
  const event = { name: 'e', timeMs: 9_000, flatAttributes: [], droppedAttributesCount: 0 }
  assert.equal(interrupt(openSpan(), early).endTimeUnixNano, originUnixNano + 1_000_000_000n)
  assert.equal(
    interrupt(openSpan({ eventRecords: [event] })).endTimeUnixNano,
    originUnixNano + 9_000_000_000n,
  )
})

test('all spans of a snapshot are counted, and what is no snapshot is told from one', () => {
  assert.equal(interruptedRequest(snapshotOf(openSpan(), openSpan({ spanId1: 7 })), killed)?.itemCount, 2)
  assert.equal(interruptedRequest(new Uint8Array([1, 2, 3]), killed), undefined)
  assert.equal(interruptedRequest(new Uint8Array(), killed), undefined)
})
