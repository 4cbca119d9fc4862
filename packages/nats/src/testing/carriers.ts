import assert from 'node:assert/strict'
import { once } from 'node:events'
import { connect as connectSocket, createServer } from 'node:net'
import { beforeEach, describe, it } from 'node:test'
import { headers, type Msg } from '@nats-io/nats-core'
import { connect } from '@nats-io/transport-node'
import { extractFromMessage, injectIntoHeaders, traceNats } from '../index.ts'
import { activeSpanId, type Harness, World } from './harness.ts'

const traceId = '0af7651916cd43dd8448eb211c80319c'
const spanId = 'b7ad6b7169203331'
const traceparent = `00-${traceId}-${spanId}-01`

/** What other clients and servers write and read. */
export function carrierContract(harness: Harness): void {
  describe(`carriers under ${harness.name}`, () => {
    const world = new World(harness)
    beforeEach(() => world.spans.reset())

    /** Sends a message as the bytes of a client that knows nothing of ours, and gives its CONSUMER span. */
    async function consumeRaw(headerLines: readonly string[]): Promise<ReturnType<typeof world.spans.named>> {
      world.spans.reset()
      const subject = world.subject()
      const subscription = world.traced.subscribe(subject, { callback: () => {} })
      await world.traced.flush()
      const head = `NATS/1.0\r\n${headerLines.map((line) => `${line}\r\n`).join('')}\r\n`
      const socket = connectSocket(world.server.port, '127.0.0.1')
      socket.write('CONNECT {"verbose":false,"headers":true}\r\n')
      socket.write(`HPUB ${subject} ${head.length} ${head.length + 2}\r\n${head}hi\r\n`)
      await world.spans.wait(1)
      socket.destroy()
      subscription.unsubscribe()
      return world.spans.named(`process ${subject}`)
    }

    it('continues the trace of headers in canonical case, as Go writes them, and in any other', async () => {
      for (const name of ['Traceparent', 'traceparent', 'TRACEPARENT', 'TraceParent']) {
        const span = await consumeRaw([`${name}: ${traceparent}`, 'X-Other: 1'])
        assert.deepEqual([span.traceId, span.parentId, span.linkIds], [traceId, spanId, [spanId]], name)
      }
    })

    it('reads several values as one, and the same value twice as said once', async () => {
      const twice = await consumeRaw([`Traceparent: ${traceparent}`, `traceparent: ${traceparent}`])
      assert.equal(twice.parentId, spanId)
      const states = await consumeRaw([`traceparent: ${traceparent}`, 'Tracestate: a=1', 'Tracestate: b=2'])
      assert.equal(states.parentId, spanId)
      const message = { headers: headers(), subject: 's', data: new Uint8Array() } as Msg
      for (const state of ['a=1', 'b=2']) message.headers?.append('Tracestate', state)
      message.headers?.append('Traceparent', traceparent)
      const relayed = injectIntoHeaders(extractFromMessage(message))
      assert.equal(relayed?.get('traceparent'), traceparent)
      assert.equal(relayed?.get('tracestate'), 'a=1,b=2')
    })

    it('starts a new trace, linked to nothing, where the context is missing or malformed', async () => {
      const malformed = [
        [],
        ['traceparent:'],
        ['traceparent: garbage'],
        [`traceparent: 00-${'0'.repeat(32)}-${spanId}-01`],
        [`traceparent: ff-${traceId}-${spanId}-01`],
        [`traceparent: ${traceparent}`, `traceparent: 00-${traceId}-00f067aa0ba902b7-01`],
        [`traceparent: ${'0'.repeat(500_000)}`],
        ...Array.from({ length: 2 }, (_, index) => [`traceparent: ${traceparent.slice(index + 1)}`]),
      ]
      for (const lines of malformed) {
        const span = await consumeRaw(lines)
        assert.deepEqual(
          [span.parentId, span.linkIds, span.error],
          [undefined, [], undefined],
          lines.join().slice(0, 80),
        )
        assert.notEqual(span.traceId, traceId)
      }
    })

    it('publishes without headers where the server knows none', async () => {
      const received: Buffer[] = []
      const old = createServer((socket) => {
        socket.write(
          'INFO {"server_id":"old","version":"2.1.9","headers":false,"max_payload":1048576,"proto":1}\r\n',
        )
        socket.on('error', () => {})
        socket.on('data', (chunk: Buffer) => {
          received.push(chunk)
          for (const _ of chunk.toString().matchAll(/^PING\r$/gm)) socket.write('PONG\r\n')
        })
      }).listen(0, '127.0.0.1')
      await once(old, 'listening')
      const address = old.address()
      assert.ok(address !== null && typeof address === 'object')
      const connection = traceNats(await connect({ servers: `127.0.0.1:${address.port}`, reconnect: false }))
      connection.publish('plain', 'text')
      connection.publish('none')
      await connection.flush()
      await connection.close()
      old.close()
      const text = Buffer.concat(received).toString()
      assert.match(text, /PUB plain {1,2}4\r\ntext\r\n/)
      assert.doesNotMatch(text, /HPUB/)
      assert.deepEqual(world.spans.names(), ['publish plain', 'publish none'])
    })

    it('an untraced consumer gets the message as it was sent, an untraced publisher is processed', async () => {
      const subject = world.subject()
      const handled = new Promise<string | undefined>((resolve) => {
        world.traced.subscribe(subject, { callback: () => resolve(activeSpanId()) })
      })
      await world.traced.flush()
      world.untraced.publish(subject, 'x')
      const inside = await handled
      await world.spans.wait(1)
      const span = world.spans.named(`process ${subject}`)
      assert.deepEqual([span.spanId, span.parentId, span.linkIds], [inside, undefined, []])
    })
  })
}
