import assert from 'node:assert/strict'
import { connect } from 'node:net'
import { after, before, describe, it } from 'node:test'
import { gzipSync } from 'node:zlib'
import {
  decodeExportTraceResponse,
  decodeStatus,
  encodeLogs,
  encodeTraces,
  type TracesData,
} from '@throughline/otlp'
import type { Lens } from '../lens.ts'
import { limits } from '../limits.ts'
import { getJson, startTestLens } from '../testing/start.ts'

const traceId = '0af7651916cd43dd8448eb211c80319c'
const none = { attributes: [], droppedAttributesCount: 0 }

const request = (...spans: readonly Readonly<Record<string, unknown>>[]): TracesData => ({
  resourceSpans: [
    {
      resource: none,
      schemaUrl: '',
      scopeSpans: [{ scope: { ...none, name: 's', version: '' }, schemaUrl: '', spans: spans.map(span) }],
    },
  ],
})

const span = (
  given: Readonly<Record<string, unknown>>,
): TracesData['resourceSpans'][0]['scopeSpans'][0]['spans'][0] => ({
  traceId,
  spanId: 'b7ad6b7169203331',
  parentSpanId: '',
  traceState: '',
  flags: 1,
  name: 'n',
  kind: 1,
  startTimeUnixNano: 1_790_000_000_000_000_000n,
  endTimeUnixNano: 1_790_000_000_000_000_001n,
  attributes: [],
  droppedAttributesCount: 0,
  events: [],
  droppedEventsCount: 0,
  links: [],
  droppedLinksCount: 0,
  status: { code: 0, message: '' },
  ...given,
})

const bytesOf = async (response: Response): Promise<Uint8Array> =>
  new Uint8Array(await response.arrayBuffer())

describe('the OTLP/HTTP receiver', () => {
  let lens: Lens
  before(async () => {
    lens = await startTestLens()
  })
  after(() => lens.stop())

  const post = (
    body: Uint8Array | string,
    { path = '/v1/traces', type = 'application/x-protobuf', coding = '' } = {},
  ): Promise<Response> =>
    fetch(`http://127.0.0.1:${lens.httpPort}${path}`, {
      method: 'POST',
      body: body as never,
      headers: { 'content-type': type, ...(coding && { 'content-encoding': coding }) },
    })

  it('answers a full success in the encoding of the request', async () => {
    const protobuf = await post(encodeTraces(request({})))
    assert.deepEqual([protobuf.status, protobuf.headers.get('content-type')], [200, 'application/x-protobuf'])
    assert.equal((await bytesOf(protobuf)).length, 0)
    const json = await post('{"resourceSpans":[]}', { type: 'application/json; charset=utf-8' })
    assert.deepEqual([json.status, json.headers.get('content-type')], [200, 'application/json'])
    assert.deepEqual(await json.json(), {})
  })

  it('says how many spans it refused, and why, and keeps the others', async () => {
    const year2263 = 2n ** 63n
    const id = '1'.repeat(32)
    const response = await post(
      encodeTraces(
        request(
          { traceId: id, name: 'kept' },
          { traceId: '0'.repeat(32) },
          { spanId: '' },
          { spanId: '' },
          { startTimeUnixNano: 0n },
          { endTimeUnixNano: year2263 },
          { attributes: [{ key: 'k', value: 'x'.repeat(limits.spanBytesMax) }] },
        ),
      ),
    )
    assert.equal(response.status, 200)
    const { value } = decodeExportTraceResponse(await bytesOf(response))
    assert.deepEqual(value?.partialSuccess, {
      rejectedSpans: 6,
      errorMessage:
        '1 spans with an invalid trace id; 2 spans with an invalid span id; 1 spans with no start time; ' +
        '1 spans with a time after the year 2262; 1 spans with more than 1048576 bytes',
    })
    const { body } = await getJson(`${lens.url}/api/traces/${id}`)
    assert.equal(body.spanCount, 1)
    assert.equal((await getJson(`${lens.url}/health`)).body.refusedSpansCount, 6)
  })

  it('takes the last time and the largest span that it can keep', async () => {
    const id = '2'.repeat(32)
    const response = await post(
      encodeTraces(
        request(
          { traceId: id, endTimeUnixNano: 2n ** 63n - 1n, startTimeUnixNano: 2n ** 63n - 2n },
          {
            traceId: id,
            spanId: '2'.repeat(16),
            name: '',
            attributes: [{ key: '', value: 'x'.repeat(limits.spanBytesMax) }],
          },
        ),
      ),
    )
    assert.equal((await bytesOf(response)).length, 0)
    assert.equal((await getJson(`${lens.url}/api/traces/${id}`)).body.spanCount, 2)
  })

  it('answers what is not OTLP with 400 and a google.rpc.Status', async () => {
    const protobuf = await post('garbage')
    assert.equal(protobuf.status, 400)
    const { value } = decodeStatus(await bytesOf(protobuf))
    assert.equal(value?.code, 3)
    assert.match(value.message, /not OTLP/)
    const json = await post('{"resourceSpans":7', { type: 'application/json' })
    assert.equal(json.status, 400)
    assert.equal(((await json.json()) as { code: number }).code, 3)
    const notGzip = await post('plain', { coding: 'gzip' })
    assert.equal(notGzip.status, 400)
    assert.match(decodeStatus(await bytesOf(notGzip)).value?.message ?? '', /not gzip/)
  })

  it('answers what it does not speak', async () => {
    assert.equal((await post('x', { type: 'text/plain' })).status, 415)
    assert.equal((await post('x', { coding: 'br' })).status, 415)
    assert.equal((await post('x', { path: '/v1development/profiles' })).status, 404)
    const get = await fetch(`http://127.0.0.1:${lens.httpPort}/v1/traces`)
    assert.deepEqual([get.status, get.headers.get('allow')], [405, 'POST'])
  })

  it('takes metrics with success, so that nobody sends them again, and says that it keeps none', async () => {
    const metrics = { path: '/v1/metrics' }
    // resource_metrics { scope_metrics { metrics { gauge { data_points {} data_points {} } } } }
    const two = Uint8Array.of(0x0a, 10, 0x12, 8, 0x12, 6, 0x2a, 4, 0x0a, 0, 0x0a, 0)
    const response = await post(two, metrics)
    assert.equal(response.status, 200)
    const { value } = decodeExportTraceResponse(await bytesOf(response))
    const errorMessage = 'Lens keeps traces and logs only; 2 metric data points were not kept'
    assert.deepEqual(value?.partialSuccess, { rejectedSpans: 2, errorMessage })
    const type = 'application/json'
    const points = { dataPoints: [{}, {}] }
    const json = { resourceMetrics: [{ scopeMetrics: [{ metrics: [{ sum: points }, { name: 'none' }] }] }] }
    const answer = await post(JSON.stringify(json), { ...metrics, type })
    assert.deepEqual(
      [answer.status, await answer.json()],
      [200, { partialSuccess: { rejectedDataPoints: '2', errorMessage } }],
    )
    assert.deepEqual(await (await post('[{"resourceMetrics":7}]', { ...metrics, type })).json(), {})
    assert.equal((await post('{', { ...metrics, type })).status, 400)
    assert.equal((await post('garbage', metrics)).status, 400)
    assert.equal((await getJson(`${lens.url}/health`)).body.refusedMetricPointsCount, 4)
  })

  it('stops at a body over the limit, announced or not, and at a zip bomb', async () => {
    const { requestBytesMax } = limits
    assert.match(
      await sendRaw(lens.httpPort, [`content-length: ${requestBytesMax + 1}\r\n\r\n`]),
      /^HTTP\/1.1 413 /,
    )
    const chunk = [
      'transfer-encoding: chunked\r\n\r\n',
      `${(requestBytesMax + 1).toString(16)}\r\n`,
      'x'.repeat(requestBytesMax + 1),
    ]
    assert.match(await sendRaw(lens.httpPort, chunk), /^HTTP\/1.1 413 /)
    const bomb = gzipSync(new Uint8Array(limits.inflatedBytesMax + 1))
    const inflated = await post(bomb, { coding: 'gzip' })
    assert.equal(inflated.status, 413)
    assert.match(decodeStatus(await bytesOf(inflated)).value?.message ?? '', /after gunzip/)
  })

  it('takes logs, and a trace shows those of its spans', async () => {
    const id = '3'.repeat(32)
    await post(encodeTraces(request({ traceId: id })))
    const log = {
      timeUnixNano: 0n,
      observedTimeUnixNano: 1_790_000_000_000_000_001n,
      severityNumber: 17,
      severityText: 'ERROR',
      body: 'it broke',
      attributes: [],
      droppedAttributesCount: 0,
      flags: 1,
      traceId: id,
      spanId: '1'.repeat(16),
      eventName: '',
    }
    const scopeLogs = [{ scope: { ...none, name: '', version: '' }, schemaUrl: '', logRecords: [log] }]
    const bytes = encodeLogs({ resourceLogs: [{ resource: none, schemaUrl: '', scopeLogs }] })
    assert.equal((await post(bytes, { path: '/v1/logs' })).status, 200)
    const { body } = await getJson(`${lens.url}/api/traces/${id}`)
    assert.deepEqual(
      body.logs.map((l: { body: string; severityText: string; timeMs: number }) => [
        l.body,
        l.severityText,
        l.timeMs,
      ]),
      [['it broke', 'ERROR', 0.000001]],
    )
  })
})

/** Sends what is given of a request, which then never ends, and returns the start of the answer. */
function sendRaw(port: number, parts: readonly string[]): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = connect(port, '127.0.0.1', () => {
      socket.write('POST /v1/traces HTTP/1.1\r\nhost: x\r\ncontent-type: application/x-protobuf\r\n')
      for (const part of parts) socket.write(part)
    })
    socket.once('data', (data) => {
      socket.destroy()
      resolve(data.toString())
    })
    socket.once('error', reject)
  })
}
