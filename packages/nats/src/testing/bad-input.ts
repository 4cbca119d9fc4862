import assert from 'node:assert/strict'
import { once } from 'node:events'
import { connect as connectSocket } from 'node:net'
import { beforeEach, describe, it } from 'node:test'
import { AckPolicy, jetstream, jetstreamManager } from '@nats-io/jetstream'
import { Kvm } from '@nats-io/kv'
import { headers, type MsgHdrs, type NatsConnection } from '@nats-io/nats-core'
import { Objm } from '@nats-io/obj'
import { connect } from '@nats-io/transport-node'
import { startNatsServer } from '@throughline/nats-server'
import { traceNats } from '../index.ts'
import { type Harness, World } from './harness.ts'
import { ofKind } from './stream.ts'

const forgedTraceId = '0af7651916cd43dd8448eb211c80319c'
const forged = `00-${forgedTraceId}-b7ad6b7169203331-01`

/** What a stranger may put into stored messages: it is handed over as it is, and costs at most the context. */
export function badInputContract(harness: Harness): void {
  describe(`bad input to JetStream under ${harness.name}`, () => {
    const world = new World(harness)
    beforeEach(() => world.spans.reset())

    /** Stores what `store` sends untraced, then reads it in every way on a traced connection. */
    async function readEverywhere(
      store: (untraced: NatsConnection, subject: string) => Promise<unknown>,
      options: Parameters<typeof traceNats>[1] = {},
    ): Promise<Uint8Array[]> {
      const server = await startNatsServer({
        env: { PATH: process.env['PATH'] },
        jetstream: true,
        configText: 'max_payload: 16777216',
      })
      const untraced = await connect({ servers: server.url })
      const traced = traceNats(await connect({ servers: server.url }), options)
      const own = await jetstreamManager(untraced)
      await own.streams.add({ name: 'BAD', subjects: ['bad.>'], allow_direct: true })
      await own.consumers.add('BAD', { durable_name: 'c', ack_policy: AckPolicy.Explicit })
      await store(untraced, 'bad.a')
      const manager = await jetstreamManager(traced)
      const consumer = await jetstream(traced).consumers.get('BAD', 'c')
      world.spans.reset()
      const bodies: Uint8Array[] = []
      for await (const message of await consumer.fetch({ max_messages: 1 })) {
        bodies.push(message.data)
        message.nak()
      }
      const again = await consumer.next()
      bodies.push(again?.data ?? assert.fail())
      await again?.ackAck()
      bodies.push((await manager.streams.getMessage('BAD', { seq: 1 }))?.data ?? assert.fail())
      // The client refuses to read some of it itself.
      const [read, expected] = await Promise.all(
        [manager, own].map(({ direct }) =>
          direct.getMessage('BAD', { seq: 1 }).then((stored) => stored?.data, String),
        ),
      )
      assert.deepEqual(read, expected)
      if (read instanceof Uint8Array) bodies.push(read)
      assert.equal(world.spans.started, world.spans.ended.length)
      await traced.close()
      await untraced.close()
      await server.stop()
      return bodies
    }

    it('a context as long as a stream takes, a hundred states, and an id without bounds', async () => {
      const cases: Record<string, (own: MsgHdrs) => void> = {
        traceparent: (own) => own.set('traceparent', '0'.repeat(60_000)),
        tracestate: (own) => {
          own.set('traceparent', forged)
          for (let index = 0; index < 100; index++) own.append('tracestate', `k${index}=${'v'.repeat(200)}`)
        },
        id: (own) => own.set('Nats-Msg-Id', 'i'.repeat(60_000)),
      }
      for (const [name, fill] of Object.entries(cases)) {
        const bodies = await readEverywhere(withHeaders(fill))
        assert.deepEqual(
          bodies.map((body) => Buffer.from(body).toString()),
          ['body', 'body', 'body', 'body'],
          name,
        )
        const [process] = ofKind(world.spans.ended, 'CONSUMER')
        assert.equal(process?.parentId, name === 'tracestate' ? 'b7ad6b7169203331' : undefined)
        for (const span of world.spans.ended) {
          for (const value of Object.values(span.attributes)) assert.ok(String(value).length <= 256, name)
        }
      }
    })

    it('control characters in headers, as only another client can send them', async () => {
      await readEverywhere(async (untraced, subject) => {
        await sendRaw(untraced.info?.port ?? assert.fail(), subject)
      })
      const [process] = ofKind(world.spans.ended, 'CONSUMER')
      assert.deepEqual([process?.parentId, process?.linkIds, process?.error], [undefined, [], undefined])
    })

    it('a context of a megabyte on a core subject, and headers that no client could have written', async () => {
      const server = await startNatsServer({
        env: { PATH: process.env['PATH'] },
        configText: 'max_payload: 16777216',
      })
      const traced = traceNats(await connect({ servers: server.url }))
      const subscription = traced.subscribe('core.bad', { max: 2 })
      const own = headers()
      own.set('traceparent', '0'.repeat(1_048_576))
      const untraced = await connect({ servers: server.url })
      await traced.flush()
      untraced.publish('core.bad', 'long', { headers: own })
      await untraced.flush()
      await sendRaw(server.port, 'core.bad')
      const texts: string[] = []
      for await (const message of subscription) texts.push(message.string())
      assert.deepEqual(texts, ['long', 'body'])
      assert.deepEqual(
        world.spans.ended.map(({ parentId, linkIds, error }) => [parentId, linkIds, error]),
        [1, 2].map(() => [undefined, [], undefined]),
      )
      await traced.close()
      await untraced.close()
      await server.stop()
    })

    it('a body of 8 MiB, as message, value and object', async () => {
      const body = Buffer.alloc(8 * 1_048_576, 'b')
      const bodies = await readEverywhere(async (untraced, subject) => {
        await jetstream(untraced).publish(subject, body)
        const connection = traceNats(untraced)
        const kv = await new Kvm(connection).create('big', { maxValueSize: -1 })
        await kv.put('k', body)
        assert.ok(body.equals((await kv.get('k'))?.value ?? assert.fail()))
        const files = await new Objm(connection).create('big')
        await files.putBlob({ name: 'o', options: { max_chunk_size: body.length } }, body)
        assert.ok(body.equals((await files.getBlob('o')) ?? assert.fail()))
        assert.equal(world.spans.started, world.spans.ended.length)
      })
      for (const received of bodies) assert.ok(body.equals(received))
      const [process] = ofKind(world.spans.ended, 'CONSUMER')
      assert.equal(process?.attributes['messaging.message.body.size'], body.length)
    })

    it('a forged context on a subject that the options call public starts nothing in its trace', async () => {
      await readEverywhere(
        withHeaders((own) => own.set('traceparent', forged)),
        { trust: (subject) => (subject.startsWith('bad.') ? 'restart-with-link' : 'continue') },
      )
      const [process] = ofKind(world.spans.ended, 'CONSUMER')
      assert.deepEqual([process?.parentId, process?.linkIds], [undefined, ['b7ad6b7169203331']])
      const nak = world.spans.named('nak bad.a')
      assert.deepEqual([nak.parentId, nak.linkIds], [process?.spanId, ['b7ad6b7169203331']])
      assert.equal(world.spans.named('ackAck bad.a').parentId, undefined)
      assert.ok(world.spans.ended.every(({ traceId }) => traceId !== forgedTraceId))
    })
  })
}

/** Sends `body` with control characters in names and values of headers, and resolves when the server has it. */
async function sendRaw(port: number, subject: string): Promise<void> {
  const socket = connectSocket(port, '127.0.0.1')
  const head = 'NATS/1.0\r\ntraceparent: 00-\u0000\u0007\u001b[2J-\u007f\r\nx\u0001y: \u0002\r\n\r\n'
  socket.write('CONNECT {"verbose":false,"headers":true}\r\n')
  socket.write(`HPUB ${subject} ${head.length} ${head.length + 4}\r\n${head}body\r\nPING\r\n`)
  let answer = ''
  while (!answer.includes('PONG')) answer += String((await once(socket, 'data'))[0])
  socket.destroy()
}

function withHeaders(
  fill: (own: MsgHdrs) => void,
): (untraced: NatsConnection, subject: string) => Promise<unknown> {
  const own = headers()
  fill(own)
  return (untraced, subject) => jetstream(untraced).publish(subject, 'body', { headers: own })
}
