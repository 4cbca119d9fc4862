import assert from 'node:assert/strict'
import { beforeEach, describe, it } from 'node:test'
import { type JetStreamManager, jetstream, jetstreamManager } from '@nats-io/jetstream'
import { connect } from '@nats-io/transport-node'
import { startNatsServer } from '@throughline/nats-server'
import { traceNats } from '../index.ts'
import { collect, type Harness, type SpanView, World } from './harness.ts'
import { Stream } from './stream.ts'

/** Calls of JetStream's API: bounded CLIENT spans, whoever makes them. */
export function apiContract(harness: Harness): void {
  describe(`JetStream's API under ${harness.name}`, () => {
    const world = new World(harness)
    const stream = new Stream(world, 'API')
    beforeEach(() => world.spans.reset())

    async function tracedManager(): Promise<JetStreamManager> {
      const manager = await jetstreamManager(world.traced)
      world.spans.reset()
      return manager
    }

    it('each call is a CLIENT span, named by operation and stream', async () => {
      const manager = await tracedManager()
      const calls: readonly [name: string, call: () => Promise<unknown>][] = [
        ['jetstream.account.info', () => manager.getAccountInfo()],
        [
          'jetstream.stream.create OTHER',
          () => manager.streams.add({ name: 'OTHER', subjects: ['other.>'], allow_direct: true }),
        ],
        ['jetstream.stream.info OTHER', () => manager.streams.info('OTHER')],
        ['jetstream.stream.names', () => collect(manager.streams.names())],
        ['jetstream.stream.list', () => collect(manager.streams.list())],
        ['jetstream.stream.names', () => manager.streams.find('other.x')],
        [
          'jetstream.consumer.create OTHER',
          () => manager.consumers.add('OTHER', { name: 'c', ack_policy: 'none' } as never),
        ],
        ['jetstream.consumer.info OTHER', () => manager.consumers.info('OTHER', 'c')],
        ['jetstream.consumer.list OTHER', () => collect(manager.consumers.list('OTHER'))],
        ['jetstream.consumer.delete OTHER', () => manager.consumers.delete('OTHER', 'c')],
        [
          'jetstream.consumer.info API',
          async () => jetstream(world.traced).consumers.get('API', (await stream.consumer()).name),
        ],
        ['jetstream.stream.purge OTHER', () => manager.streams.purge('OTHER')],
        ['jetstream.stream.delete OTHER', () => manager.streams.delete('OTHER')],
      ]
      for (const [name, call] of calls) {
        world.spans.reset()
        await world.inRoot(call)
        const root = world.spans.named('root')
        const [span] = world.spans.ended
        assert.deepEqual(
          [span?.name, span?.kind, span?.parentId, span?.error],
          [name, 'CLIENT', root.spanId, undefined],
        )
      }
    })

    it('says stream and consumer, and nothing without bound', async () => {
      const manager = await tracedManager()
      await manager.consumers.info('API', 'c1').catch(() => {})
      assert.deepEqual(world.spans.named('jetstream.consumer.info API').attributes, {
        'messaging.system': 'nats',
        'messaging.operation.name': 'consumer.info',
        'messaging.nats.stream': 'API',
        'messaging.destination.subscription.name': 'c1',
        'server.address': '127.0.0.1',
        'server.port': world.server.port,
      })
      world.spans.reset()
      for (const subject of ['$JS.API.STREAM.secret-4711', '$JS.API.x.y.z', '$JS.API.SERVER.REMOVE']) {
        await world.traced.request(subject, '', { timeout: 20 }).catch(() => {})
      }
      assert.deepEqual(world.spans.names(), [
        'jetstream.stream.other',
        'jetstream.other',
        'jetstream.server.remove',
      ])
    })

    it('what the server refuses is the error of the span, and the client error of the caller', async () => {
      const manager = await tracedManager()
      await assert.rejects(manager.streams.info('ABSENT'), { name: 'StreamNotFoundError' })
      const refused = world.spans.named('jetstream.stream.info ABSENT')
      assert.deepEqual([refused.error, refused.attributes['error.type']], ['stream not found', '10059'])
      await assert.rejects(manager.consumers.info('API', 'absent'), { name: 'ConsumerNotFoundError' })
      assert.equal(world.spans.named('jetstream.consumer.info API').error, 'consumer not found')
    })

    it('a server that does not answer ends the span with the client error', async () => {
      const plain = await startNatsServer({ env: { PATH: process.env['PATH'] } })
      const connection = traceNats(await connect({ servers: plain.url }))
      await assert.rejects(jetstreamManager(connection), { name: 'JetStreamNotEnabled' })
      assert.equal(world.spans.named('jetstream.account.info').attributes['error.type'], 'RequestError')
      await connection.close()
      await plain.stop()
    })

    it('a stored message and a direct get are linked to the writer, whose trace the reader does not join', async () => {
      const manager = await tracedManager()
      await stream.manager.streams.add({ name: 'DIRECT', subjects: ['direct.>'], allow_direct: true })
      await world.inRoot(() => jetstream(world.traced).publish('direct.a', 'x'.repeat(100_000)))
      const writer = world.spans.named('publish direct.a')
      const stored = await manager.streams.getMessage('DIRECT', { last_by_subj: 'direct.a' })
      assert.equal(stored?.string().length, 100_000)
      assertReads(world.spans.named('jetstream.stream.msg.get DIRECT'), writer)
      world.spans.reset()
      assert.equal((await manager.direct.getMessage('DIRECT', { seq: 1 }))?.seq, 1)
      assertReads(world.spans.named('jetstream.direct.get DIRECT'), writer)
      world.spans.reset()
      const byName = await manager.direct.getMessage('DIRECT', { last_by_subj: 'direct.a' })
      assert.match(byName?.header.get('traceparent') ?? '', new RegExp(`-${writer.spanId}-`))
      assertReads(world.spans.named('jetstream.direct.get DIRECT'), writer)
      world.spans.reset()
      assert.equal(await manager.direct.getMessage('DIRECT', { seq: 99 }), null)
      assert.equal(await manager.streams.getMessage('DIRECT', { seq: 99 }), null)
      assert.deepEqual(
        world.spans.ended.map(({ error, linkIds }) => [error, linkIds]),
        [
          [undefined, []],
          [undefined, []],
        ],
      )
    })

    it('apiSpans: false makes none, rootSpans: false none outside of a span; a domain is the same API', async () => {
      for (const options of [{ apiSpans: false }, { rootSpans: false }]) {
        const connection = await world.connect(options)
        const manager = await jetstreamManager(connection)
        await manager.streams.info('API')
        await connection.close()
      }
      assert.equal(world.spans.started, 0)
      const domain = await startNatsServer({
        env: { PATH: process.env['PATH'] },
        jetstream: true,
        configText: 'jetstream { domain: hub }',
      })
      const connection = traceNats(await connect({ servers: domain.url }))
      const manager = await jetstreamManager(connection, { domain: 'hub' })
      await manager.streams.add({ name: 'HUB', subjects: ['hub.>'] })
      assert.deepEqual(world.spans.names(), ['jetstream.account.info', 'jetstream.stream.create HUB'])
      await connection.close()
      await domain.stop()
    })

    it('is the same API to its user: results, errors and order', async () => {
      const outcomes = []
      for (const connection of [world.untraced, world.traced]) {
        const manager = await jetstreamManager(connection)
        await manager.streams.add({ name: 'SAME', subjects: ['same.>'] })
        const js = jetstream(connection)
        const acks = [await js.publish('same.a', 'x'), await js.publish('same.b', 'y', { msgID: 'i' })]
        const again = await js.publish('same.b', 'y', { msgID: 'i' })
        const refused = await js
          .publish('same.a', '', { expect: { lastSequence: 77 } })
          .catch((error: Error) => `${error.name}: ${error.message}`)
        const missing = await manager.streams.info('MISSING').catch((error: Error) => String(error))
        outcomes.push({
          acks,
          again,
          refused,
          missing,
          subjects: (await manager.streams.info('SAME')).config.subjects,
          stored: (await manager.streams.getMessage('SAME', { seq: 1 }))?.string(),
          purged: await manager.streams.purge('SAME', { filter: 'same.a' }),
          deleted: await manager.streams.deleteMessage('SAME', 2),
          removed: await manager.streams.delete('SAME'),
        })
      }
      assert.deepEqual(outcomes[1], outcomes[0])
    })
  })
}

/** Reading never joins the writer's trace. */
function assertReads(read: SpanView, writer: SpanView): void {
  assert.deepEqual([read.kind, read.parentId, read.linkIds], ['CLIENT', undefined, [writer.spanId]])
  assert.notEqual(read.traceId, writer.traceId)
}
