import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createServer, type IncomingHttpHeaders } from 'node:http'
import { after, test } from 'node:test'
import { type Msg, type NatsConnection, headers as natsHeaders } from '@nats-io/nats-core'
import { connect } from '@nats-io/transport-node'
import { startNatsServer } from '@throughline/nats-server'
import { type CloudEventV1, HTTP, CloudEvent as NpmEvent } from 'cloudevents'
import {
  checkTransmission,
  processEvent,
  readBatch,
  readEvent,
  sendEvent,
  type WrittenMessage,
  writeBatch,
} from './index.ts'
import { fullEvent, plain, textOf, traceparent } from './testing/events.ts'
import { recordSpans } from './testing/spans.ts'

const spans = recordSpans()
const http = await listen()
const nats = await startNatsServer({ env: { PATH: process.env['PATH'] } })
const connection: NatsConnection = await connect({ servers: nats.url })
after(async () => {
  http.server.close()
  await connection.close()
  await nats.stop()
})

interface Received {
  readonly headers: IncomingHttpHeaders
  readonly body: Uint8Array
}

/** A server that hands every request on. */
async function listen(): Promise<{
  server: ReturnType<typeof createServer>
  url: string
  next(): Promise<Received>
}> {
  const server = createServer((request, response) => {
    const chunks: Buffer[] = []
    request.on('data', (chunk: Buffer) => chunks.push(chunk))
    request.on('end', () => {
      server.emit('received', { headers: request.headers, body: new Uint8Array(Buffer.concat(chunks)) })
      response.end()
    })
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  assert.ok(address !== null && typeof address === 'object')
  return {
    server,
    url: `http://127.0.0.1:${address.port}/`,
    next: () => once(server, 'received').then(([received]) => received as Received),
  }
}

async function overHttp(
  headers: Iterable<readonly [string, string]>,
  body: Uint8Array | string,
): Promise<Received> {
  const received = http.next()
  const sent = typeof body === 'string' ? body : Buffer.from(body)
  const response = await fetch(http.url, {
    method: 'POST',
    headers: [...headers].map(([k, v]) => [k, v]),
    body: sent,
  })
  await response.arrayBuffer()
  return received
}

async function overNats(
  headers: Iterable<readonly [string, string]>,
  body: Uint8Array | string,
): Promise<Msg> {
  const subscription = connection.subscribe('events', { max: 1 })
  const sent = natsHeaders()
  for (const [name, value] of headers) sent.append(name, value)
  connection.publish('events', body, { headers: sent })
  for await (const message of subscription) return message
  throw new Error('no message')
}

/** What the npm package makes of a message; it wants lower-case names with one value. */
function npmRead(
  headers: Iterable<readonly [string, string | readonly string[] | undefined]>,
  body: Uint8Array,
): CloudEventV1<unknown> {
  const single = [...headers].map(([name, value]) => [
    name.toLowerCase(),
    typeof value === 'string' ? value : value?.[0],
  ])
  const event = HTTP.toEvent({
    headers: Object.fromEntries(single) as Record<string, string>,
    body: textOf(body),
  })
  assert.ok(!Array.isArray(event))
  return event
}

const npmEvent = new NpmEvent({
  id: '7',
  source: '/npm',
  type: 'com.example.npm',
  subject: 'sub',
  time: '2026-04-05T17:31:00.000Z',
  datacontenttype: 'application/json',
  traceparent,
  data: { a: [1, 'x', null] },
})
const expected = {
  id: '7',
  source: '/npm',
  type: 'com.example.npm',
  subject: 'sub',
  time: '2026-04-05T17:31:00.000Z',
  datacontenttype: 'application/json',
  extensions: { traceparent },
  data: { a: [1, 'x', null] },
}

test('an event of the npm package is read from HTTP and from NATS, in both modes, and its trace is continued', async () => {
  for (const message of [HTTP.binary(npmEvent), HTTP.structured(npmEvent)]) {
    const pairs = Object.entries(message.headers).map(([name, value]) => [name, String(value)] as const)
    const request = await overHttp(pairs, String(message.body))
    assert.deepEqual(plain(readEvent(request, 'http').event), expected)
    const received = await overNats(pairs, String(message.body))
    assert.deepEqual(
      plain(readEvent({ headers: received.headers, body: received.data }, 'nats').event),
      expected,
    )
    spans.splice(0)
    processEvent({ headers: received.headers, body: received.data }, { binding: 'nats' }, () => {})
    assert.equal(spans[0]?.traceId, traceparent.slice(3, 35))
    assert.equal(spans[0]?.parentId, traceparent.slice(36, 52))
  }
})

test('our event is read by the npm package from HTTP and from NATS, in both modes, with the extension of its hop', async () => {
  const event = { ...fullEvent, extensions: { comexampleextension1: 'value' } }
  for (const mode of ['binary', 'json'] as const) {
    for (const binding of ['http', 'nats'] as const) {
      const send = async ({ headers, body }: WrittenMessage): Promise<CloudEventV1<unknown>> => {
        const received = binding === 'http' ? await overHttp(headers, body) : await overNats(headers, body)
        const found = received.headers ?? {}
        const entries = Symbol.iterator in found ? found : Object.entries(found)
        const data = 'body' in received ? received.body : received.data
        const ours = readEvent({ headers: entries as never, body: data }, binding).event
        assert.ok(ours !== undefined)
        assert.deepEqual(checkTransmission({ event: ours, headers: received.headers, hops: 'one' }), [])
        return npmRead(entries as never, data)
      }
      spans.splice(0)
      const read = await sendEvent(event, { binding, mode }, send)
      const [span] = spans
      assert.deepEqual(
        [read.id, read.source, read.type, read.subject, read.datacontenttype, read.dataschema, read.data],
        [
          event.id,
          event.source,
          event.type,
          event.subject,
          event.datacontenttype,
          event.dataschema,
          event.data,
        ],
        `${mode} ${binding}`,
      )
      assert.equal(new Date(read.time ?? '').getTime(), Date.parse(event.time ?? ''))
      assert.equal(read['comexampleextension1'], 'value')
      assert.equal(String(read['traceparent']).slice(0, 52), `00-${span?.traceId}-${span?.spanId}`)
    }
  }
})

test('batches go both ways over HTTP', async () => {
  const { headers, body } = writeBatch([fullEvent, { ...fullEvent, id: '2' }])
  const received = await overHttp(headers, body)
  const read = HTTP.toEvent({
    headers: received.headers,
    body: textOf(received.body),
  })
  assert.deepEqual(Array.isArray(read) && read.map(({ id }) => id), [fullEvent.id, '2'])
  const batch = [['content-type', 'application/cloudevents-batch+json'] as const]
  const back = await overHttp(batch, JSON.stringify([npmEvent, npmEvent]))
  assert.deepEqual(readBatch(back, 'http').events?.map(plain), [expected, expected])
})
