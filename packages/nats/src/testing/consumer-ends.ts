import assert from 'node:assert/strict'
import { beforeEach, describe, it } from 'node:test'
import { AckPolicy, type ConsumerMessages, jetstream, jetstreamManager } from '@nats-io/jetstream'
import type { NatsConnection } from '@nats-io/nats-core'
import { connect } from '@nats-io/transport-node'
import { startNatsServer } from '@throughline/nats-server'
import { traceNats } from '../index.ts'
import { activeSpanId, deferred, type Harness, World } from './harness.ts'
import { ofKind, Stream } from './stream.ts'

/** How loops over a consumer's messages end: by their body, by stop and drain, by the server. No span stays open. */
export function consumerEndContract(harness: Harness): void {
  describe(`ends of consumers under ${harness.name}`, () => {
    const world = new World(harness)
    const stream = new Stream(world, 'ENDS')
    beforeEach(() => world.spans.reset())

    async function consuming(
      texts: readonly string[],
    ): Promise<{ subject: string; messages: ConsumerMessages }> {
      const { subject, consumer } = await stream.consumer({ ack_policy: AckPolicy.None })
      await stream.publish(subject, texts)
      return { subject, messages: await consumer.consume() }
    }

    it('break, throw and return end the span and give the context back', async () => {
      const ways: Record<string, (messages: ConsumerMessages) => Promise<unknown>> = {
        break: async (messages) => {
          for await (const _ of messages) break
        },
        throw: async (messages) => {
          try {
            for await (const _ of messages) throw new Error('left')
          } catch (error) {
            assert.equal((error as Error).message, 'left')
          }
        },
        return: async (messages) => {
          for await (const _ of messages) return
        },
      }
      for (const [name, way] of Object.entries(ways)) {
        const { subject, messages } = await consuming(['1', '2'])
        await world.inRoot(async () => {
          const before = activeSpanId()
          await way(messages)
          assert.equal(activeSpanId(), before, name)
        })
        await messages.closed()
        assert.deepEqual(world.spans.names(), [`process ${subject}`, 'root'], name)
      }
    })

    it('nested loops and two at once stay in their own messages', async () => {
      const outer = await consuming(['a', 'b'])
      const inners = []
      for (let index = 0; index < 4; index++) inners.push(await consuming(['1', '2']))
      const seen: (string | undefined)[] = []
      for await (const message of outer.messages) {
        const own = activeSpanId()
        const drain = async ({ messages }: typeof outer): Promise<void> => {
          for await (const one of messages) {
            const id = activeSpanId()
            assert.notEqual(id, own)
            await world.untraced.flush()
            assert.equal(activeSpanId(), id)
            seen.push(id)
            if (one.string() === '2') break
          }
        }
        await Promise.all(inners.splice(0, 2).map(drain))
        assert.equal(activeSpanId(), own)
        if (message.string() === 'b') break
      }
      assert.equal(new Set(seen).size, 8)
      assert.equal(world.spans.started, world.spans.ended.length)
    })

    it('stop, in the middle of a body and between two, ends the loop and its spans', async () => {
      const { subject, messages } = await consuming(['1', '2', '3'])
      const texts: string[] = []
      for await (const message of messages) {
        texts.push(message.string())
        if (texts.length === 2) messages.stop()
      }
      assert.equal(await messages.closed(), undefined)
      assert.deepEqual(texts, ['1', '2', '3'])
      assert.deepEqual(
        ofKind(world.spans.ended, 'CONSUMER').map(({ name }) => name),
        Array.from(texts, () => `process ${subject}`),
      )
      const callback = await consuming(['1'])
      callback.messages.stop()
      assert.equal(world.spans.started, world.spans.ended.length)
    })

    it('draining the connection hands over what has come, and leaves nothing open', async () => {
      const { subject, name } = await stream.consumer({ ack_policy: AckPolicy.None })
      await stream.publish(subject, ['1', '2'])
      const connection = await world.connect()
      const consumer = await jetstream(connection).consumers.get(stream.name, name)
      world.spans.reset()
      const texts: string[] = []
      for await (const message of await consumer.consume()) {
        texts.push(message.string())
        if (texts.length === 2) void connection.drain()
      }
      assert.deepEqual(texts, ['1', '2'])
      await connection.closed()
      assert.equal(world.spans.started, world.spans.ended.length)
    })

    it('a deleted consumer ends the loop with the client error, where the options say so', async () => {
      const { subject, name, consumer } = await stream.consumer()
      await stream.publish(subject, ['1'])
      const messages = await consumer.consume({ abort_on_missing_resource: true })
      await assert.rejects(
        async () => {
          for await (const message of messages) {
            message.ack()
            await stream.manager.consumers.delete(stream.name, name)
          }
        },
        { name: 'JetStreamStatusError', message: 'consumer deleted' },
      )
      assert.equal(world.spans.named(`process ${subject}`).error, undefined)
      assert.equal(world.spans.started, world.spans.ended.length)
    })

    async function ownServer(): Promise<{
      server: Awaited<ReturnType<typeof startNatsServer>>
      connection: NatsConnection
    }> {
      const server = await startNatsServer({ jetstream: true, env: { PATH: process.env['PATH'] } })
      const connection = traceNats(
        await connect({ servers: server.url, reconnectTimeWait: 5, maxReconnectAttempts: -1 }),
      )
      const manager = await jetstreamManager(connection)
      await manager.streams.add({ name: 'OWN', subjects: ['own.>'] })
      await manager.consumers.add('OWN', { durable_name: 'own', ack_policy: AckPolicy.Explicit })
      world.spans.reset()
      return { server, connection }
    }

    it('a server that stops to answer fails the fetch, and its receive span', async () => {
      const { server, connection } = await ownServer()
      const consumer = await jetstream(connection).consumers.get('OWN', 'own')
      await jetstream(connection).publish('own.a', '1')
      world.spans.reset()
      const pid = server.pid ?? assert.fail()
      try {
        await assert.rejects(
          async () => {
            for await (const message of await consumer.fetch({
              max_messages: 5,
              expires: 30_000,
              idle_heartbeat: 500,
            })) {
              message.working()
              process.kill(pid, 'SIGSTOP')
            }
          },
          { message: 'heartbeats missed' },
        )
      } finally {
        process.kill(pid, 'SIGCONT')
      }
      const receive = world.spans.named('receive OWN')
      assert.deepEqual(
        [receive.error, receive.attributes['messaging.batch.message_count']],
        ['heartbeats missed', 1],
      )
      assert.equal(world.spans.started, world.spans.ended.length)
      await connection.close()
      await server.stop()
    })

    it('a server that crashes and comes back: the loop goes on, and nothing stays open', async () => {
      const { server, connection } = await ownServer()
      const js = jetstream(connection, { timeout: 1_000 })
      const consumer = await js.consumers.get('OWN', 'own')
      const [first, second] = [deferred(), deferred()]
      const bodies: string[] = []
      const messages = await consumer.consume()
      const loop = (async () => {
        for await (const message of messages) {
          assert.notEqual(activeSpanId(), undefined)
          await message.ackAck().catch(() => {})
          bodies.push(message.string())
          if (message.string() === 'before') first.resolve()
          if (message.string() === 'after') second.resolve()
        }
      })()
      await js.publish('own.a', 'before')
      await first.promise
      const reconnected = (async () => {
        for await (const status of connection.status()) if (status.type === 'reconnect') return
      })()
      await server.kill()
      await server.restart()
      await reconnected
      await js.publish('own.a', 'after', { retries: 10 })
      await second.promise
      messages.stop()
      await loop
      assert.ok(bodies.includes('before') && bodies.includes('after'))
      assert.equal(world.spans.started, world.spans.ended.length)
      await connection.close()
      await server.stop()
    })

    it('is the same to its user: results, errors, types and order of every way to consume', async () => {
      const outcomes = []
      for (const connection of [world.untraced, world.traced]) {
        const manager = await jetstreamManager(connection)
        await manager.streams.add({ name: 'SAME', subjects: ['same.>'] })
        const js = jetstream(connection)
        for (const text of ['1', '2', '3', '4', '5', '6']) await js.publish('same.a', text)
        await manager.consumers.add('SAME', { durable_name: 'c', ack_policy: AckPolicy.Explicit })
        const consumer = await js.consumers.get('SAME', 'c')
        const fetched = []
        const batch = await consumer.fetch({ max_messages: 2 })
        for await (const message of batch) {
          fetched.push([
            message.seq,
            message.string(),
            message.redelivered,
            await message.ackAck(),
            message.ack(),
          ])
        }
        const next = await consumer.next()
        const consumed = []
        const messages = await consumer.consume()
        for await (const message of messages) {
          consumed.push([message.seq, message.info.pending, message.subject])
          if (consumed.length === 3) break
        }
        const twice = messages[Symbol.asyncIterator]()
        outcomes.push({
          fetched,
          processed: [batch.getProcessed(), batch.getReceived(), batch.getPending()],
          next: [next?.seq, next?.constructor.name],
          consumed,
          again: await twice.next().then(
            (step) => step.done,
            (error: Error) => error.message,
          ),
          kinds: [consumer.isPullConsumer(), consumer.isPushConsumer(), consumer.constructor.name],
          messages: messages.constructor.name,
          errors: [
            await consumer.fetch({ max_messages: 1, max_bytes: 1 }).catch(String),
            await consumer.next({ expires: 1 }).catch(String),
            await js.consumers.get('SAME', 'absent').catch(String),
            await js.consumers.getPushConsumer('SAME', 'c').catch(String),
          ],
          deleted: [await consumer.delete(), await manager.streams.delete('SAME')],
        })
      }
      assert.deepEqual(outcomes[1], outcomes[0])
    })
  })
}
