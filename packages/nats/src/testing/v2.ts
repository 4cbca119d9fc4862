import assert from 'node:assert/strict'
import { after, before, beforeEach, describe, it } from 'node:test'
import {
  AckPolicy,
  connect,
  consumerOpts,
  headers,
  type JetStreamManager,
  type NatsConnection,
  RequestStrategy,
} from 'nats'
import { traceNats } from '../index.ts'
import { activeSpanId, collect, type Harness, World } from './harness.ts'
import { ofKind } from './stream.ts'

/** The package nats 2.x, whose connection makes the clients of JetStream, KV, ObjectStore and services itself. */
export function v2Contract(harness: Harness): void {
  describe(`nats 2.x under ${harness.name}`, () => {
    const world = new World(harness)
    let untraced: NatsConnection
    let traced: NatsConnection
    let manager: JetStreamManager
    before(async () => {
      untraced = await connect({ servers: world.server.url })
      traced = traceNats(await connect({ servers: world.server.url }))
      manager = await untraced.jetstreamManager()
      await manager.streams.add({ name: 'V2', subjects: ['v2.>'] })
    })
    after(async () => {
      await traced.close()
      await untraced.close()
    })
    beforeEach(() => world.spans.reset())

    async function durable(name: string): Promise<string> {
      await manager.consumers.add('V2', {
        durable_name: name,
        ack_policy: AckPolicy.Explicit,
        filter_subject: `v2.${name}`,
      })
      return name
    }

    it('publish, subscribe in both forms, and headers of its own class', async () => {
      const own = headers()
      own.set('X-Mine', '1')
      const loop = traced.subscribe('core.loop', { max: 1 })
      const called = new Promise<string | undefined>((resolve) => {
        traced.subscribe('core.loop', { max: 1, callback: () => resolve(activeSpanId()) })
      })
      await world.inRoot(async () => traced.publish('core.loop', Buffer.from('x'), { headers: own }))
      for await (const message of loop) {
        assert.equal(message.headers?.get('X-Mine'), '1')
        assert.notEqual(activeSpanId(), undefined)
      }
      const inside = await called
      await world.spans.wait(4)
      const publish = world.spans.named('publish core.loop')
      const processes = ofKind(world.spans.ended, 'CONSUMER')
      assert.deepEqual(
        processes.map(({ parentId, linkIds }) => [parentId, linkIds]),
        [1, 2].map(() => [publish.spanId, [publish.spanId]]),
      )
      assert.ok(processes.some(({ spanId }) => spanId === inside))
      assert.deepEqual(own.keys(), ['X-Mine'])
    })

    it('request, requestMany and respond are one trace; nobody there is the client error', async () => {
      traced.subscribe('core.echo', { callback: (_, message) => void message.respond(message.data) })
      await world.inRoot(async () => {
        assert.equal((await traced.request('core.echo', 'a')).string(), 'a')
        const many = await traced.requestMany('core.echo', 'b', {
          strategy: RequestStrategy.Count,
          maxMessages: 1,
          maxWait: 5_000,
        })
        assert.equal((await collect(many)).length, 1)
      })
      await world.spans.wait(7)
      const root = world.spans.named('root')
      assert.ok(world.spans.ended.every(({ traceId }) => traceId === root.traceId))
      assert.equal(await answer(traced), await answer(untraced))
      assert.equal(world.spans.named('request core.nobody').attributes['error.type'], 'NatsError')
    })

    it('JetStream: publish, consume, fetch, next, ack', async () => {
      const js = traced.jetstream()
      const name = await durable('pull')
      const ack = await js.publish('v2.pull', 'a', { msgID: 'one' })
      assert.equal((await js.publish('v2.pull', 'a', { msgID: 'one' })).duplicate, true)
      for (const text of ['b', 'c']) await js.publish('v2.pull', text)
      const [first, second] = ofKind(world.spans.ended, 'PRODUCER')
      assert.equal(first?.attributes['messaging.nats.stream_sequence'], ack.seq)
      assert.equal(second?.attributes['messaging.nats.duplicate'], true)
      const consumer = await js.consumers.get('V2', name)
      world.spans.reset()
      for await (const message of await consumer.fetch({ max_messages: 1, expires: 1_000 })) {
        message.nak(60_000)
      }
      const next = await consumer.next()
      next?.ack()
      for await (const message of await consumer.consume()) {
        assert.equal(message.string(), 'c')
        assert.equal(await message.ackAck(), true)
        break
      }
      assert.deepEqual(world.spans.names(), [
        'nak v2.pull',
        'process v2.pull',
        'receive v2.pull',
        'receive v2.pull',
        'ack v2.pull',
        'ackAck v2.pull',
        'process v2.pull',
      ])
      assert.deepEqual(world.spans.ended[1]?.linkIds, [first?.spanId])
    })

    it('the older ways: pull, fetch, subscribe and pullSubscribe', async () => {
      const js = traced.jetstream()
      const name = await durable('old')
      for (const text of ['a', 'b', 'c']) await js.publish('v2.old', text)
      const [first, second, third] = ofKind(world.spans.ended, 'PRODUCER')
      world.spans.reset()
      ;(await js.pull('V2', name)).ack()
      assert.deepEqual(world.spans.named('receive v2.old').linkIds, [first?.spanId])
      for await (const message of js.fetch('V2', name, { batch: 1, expires: 5_000 })) message.ack()
      assert.deepEqual(world.spans.named('process v2.old').linkIds, [second?.spanId])
      world.spans.reset()
      const pulled = await js.pullSubscribe('v2.old', { config: { durable_name: name } })
      pulled.pull({ batch: 1 })
      for await (const message of pulled) {
        message.ack()
        break
      }
      assert.deepEqual(world.spans.named('process v2.old').linkIds, [third?.spanId])
      world.spans.reset()
      const subscription = await js.subscribe('v2.old', consumerOpts().orderedConsumer())
      let texts = ''
      for await (const message of subscription) {
        assert.notEqual(activeSpanId(), undefined)
        texts += message.string()
        if (texts.length === 3) break
      }
      assert.equal(texts, 'abc')
      assert.deepEqual(
        ofKind(world.spans.ended, 'CONSUMER').map(({ linkIds }) => linkIds[0]),
        [first?.spanId, second?.spanId, third?.spanId],
      )
    })

    it('KV and ObjectStore by views, and the API', async () => {
      const { views } = traced.jetstream()
      const kv = await views.kv('box')
      await world.inRoot(() => kv.put('k', 'v'))
      const put = world.spans.named('kv.put box')
      assert.equal((await kv.get('k'))?.string(), 'v')
      assert.deepEqual(world.spans.named('kv.get box').linkIds, [put.spanId])
      assert.deepEqual(await collect(await kv.keys()), ['k'])
      const files = await views.os('files')
      await files.putBlob({ name: 'f' }, Buffer.alloc(200_000, 'x'))
      assert.equal((await files.getBlob('f'))?.length, 200_000)
      await (await traced.jetstreamManager()).streams.info('V2')
      assert.deepEqual(world.spans.names(), [
        'kvm.create box',
        'kv.put box',
        'root',
        'kv.get box',
        'kv.keys box',
        'objm.create files',
        'objectstore.put files',
        'objectstore.get files',
        'jetstream.account.info',
        'jetstream.stream.info V2',
      ])
    })

    it('services: a request is handled inside its span', async () => {
      const service = await traced.services.add({ name: 'echo', version: '1.0.0' })
      let inside: string | undefined
      service.addEndpoint('say', (error, message) => {
        inside = activeSpanId()
        if (error === null) message.respond('said')
      })
      await traced.flush()
      await world.inRoot(async () => assert.equal((await traced.request('say')).string(), 'said'))
      const [process] = ofKind(world.spans.ended, 'CONSUMER')
      assert.deepEqual(
        [process?.spanId, process?.parentId],
        [inside, world.spans.named('request say').spanId],
      )
      await service.stop()
    })
  })
}

function answer(connection: NatsConnection): Promise<string> {
  return connection
    .request('core.nobody', '')
    .then(String, (error: Error & { code?: string }) => [error.name, error.code, error.message].join())
}
