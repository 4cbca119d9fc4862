import assert from 'node:assert/strict'
import { beforeEach, describe, it } from 'node:test'
import { type ConsumerMessages, jetstream } from '@nats-io/jetstream'
import { activeSpanId, collect, deferred, type Harness, World } from './harness.ts'
import { ofKind, Stream } from './stream.ts'

/** Pull consumers, ordered ones and push consumers: what their messages and batches make, and how their loops end. */
export function consumerContract(harness: Harness): void {
  describe(`consumers under ${harness.name}`, () => {
    const world = new World(harness)
    const stream = new Stream(world, 'WORK')
    beforeEach(() => world.spans.reset())

    it('fetch is one receive span with links to all, and a processing span for each message', async () => {
      const { subject, name, consumer } = await stream.consumer()
      const publishers = await stream.publish(subject, ['1', '2', '3'])
      await world.inRoot(async () => {
        const root = activeSpanId()
        for await (const message of await consumer.fetch({ max_messages: 3 })) {
          assert.notEqual(activeSpanId(), root)
          world.tracer.startSpan(`inside ${message.string()}`).end()
        }
        assert.equal(activeSpanId(), root)
      })
      const receive = world.spans.named(`receive ${subject}`)
      assert.deepEqual(
        [receive.kind, receive.parentId, receive.linkIds],
        ['CLIENT', world.spans.named('root').spanId, publishers],
      )
      assert.deepEqual(receive.attributes, {
        'messaging.system': 'nats',
        'messaging.destination.name': subject,
        'messaging.operation.name': 'receive',
        'messaging.operation.type': 'receive',
        'messaging.nats.stream': 'WORK',
        'messaging.destination.subscription.name': name,
        'messaging.batch.message_count': 3,
        'server.address': '127.0.0.1',
        'server.port': world.server.port,
      })
      const processes = ofKind(world.spans.ended, 'CONSUMER')
      assert.deepEqual(
        processes.map((span) => [span.name, span.parentId, span.linkIds]),
        publishers.map((id) => [`process ${subject}`, id, [id]]),
      )
      assert.deepEqual(
        processes.map((_, index) => world.spans.named(`inside ${index + 1}`).parentId),
        processes.map((span) => span.spanId),
      )
      assert.equal(world.spans.started, world.spans.ended.length)
    })

    it('a batch that is left early tells what was handed out; one that nobody reads tells nothing', async () => {
      const { subject, consumer } = await stream.consumer()
      const publishers = await stream.publish(subject, ['1', '2', '3'])
      for await (const message of await consumer.fetch({ max_messages: 3 })) {
        message.working()
        if (message.string() === '2') break
      }
      const receive = world.spans.named(`receive ${subject}`)
      assert.deepEqual(receive.linkIds, publishers.slice(0, 2))
      assert.equal(receive.attributes['messaging.batch.message_count'], 2)
      world.spans.reset()
      const unread = await consumer.fetch({ max_messages: 10, expires: 1_000 })
      unread.stop()
      assert.equal(world.spans.started, 0)
    })

    it('links of a large batch have a limit, its count has none', async () => {
      const { subject, consumer } = await stream.consumer()
      await world.inRoot(async () => {
        await Promise.all(Array.from({ length: 150 }, (_, index) => stream.js.publish(subject, `${index}`)))
      })
      world.spans.reset()
      const messages = await collect(await consumer.fetch({ max_messages: 150 }))
      assert.equal(messages.length, 150)
      const receive = world.spans.named(`receive ${subject}`)
      assert.deepEqual(
        [receive.linkIds.length, receive.attributes['messaging.batch.message_count']],
        [128, 150],
      )
    })

    it('a consumer of several subjects names its batch by its filter, or by the stream', async () => {
      const wide = await stream.consumer({ filter_subject: 'work.wide.*' })
      for (const id of ['a', 'b']) await stream.js.publish(`work.wide.${id}`)
      world.spans.reset()
      await collect(await wide.consumer.fetch({ max_messages: 2 }))
      assert.deepEqual(world.spans.names(), [
        'process work.wide.a',
        'process work.wide.b',
        'receive work.wide.*',
      ])
      const info = await stream.manager.consumers.add('WORK', {
        ack_policy: 'none',
        deliver_policy: 'last',
      } as never)
      const all = await stream.js.consumers.get('WORK', info.name)
      world.spans.reset()
      await collect(await all.fetch({ max_messages: 1 }))
      assert.deepEqual(world.spans.names(), ['process work.wide.b', 'receive WORK'])
    })

    it('10,000 messages that are fetched and not handed out make no spans', async () => {
      const { subject, consumer } = await stream.consumer({ max_ack_pending: 20_000 })
      for (let index = 0; index < 10_000; index++) world.untraced.publish(subject, 'x')
      await world.untraced.flush()
      const messages = await consumer.fetch({ max_messages: 10_000 })
      const iterator = messages[Symbol.asyncIterator]()
      await iterator.next()
      while (messages.getReceived() < 10_000) await world.traced.flush()
      assert.equal(world.spans.started, 1)
      await iterator.return?.()
      assert.deepEqual(world.spans.names(), [`process ${subject}`, `receive ${subject}`])
    })

    it('a message of next() has a receive span; a deleted consumer ends the wait with the client error', async () => {
      const { subject, name, consumer } = await stream.consumer()
      const [publisher] = await stream.publish(subject, ['x'])
      const message = await world.inRoot(() => consumer.next())
      assert.equal(message?.string(), 'x')
      const receive = world.spans.named(`receive ${subject}`)
      assert.deepEqual(
        [
          receive.kind,
          receive.parentId,
          receive.linkIds,
          receive.attributes['messaging.nats.delivery_count'],
        ],
        ['CLIENT', world.spans.named('root').spanId, [publisher], 1],
      )
      world.spans.reset()
      const wait = consumer.next({ expires: 30_000 })
      let waiting = 0
      while (waiting === 0) waiting = (await stream.manager.consumers.info('WORK', name)).num_waiting
      await Promise.all([
        assert.rejects(wait, { name: 'JetStreamStatusError', message: 'consumer deleted' }),
        stream.manager.consumers.delete('WORK', name),
      ])
      assert.equal(world.spans.named(`receive ${subject}`).error, 'consumer deleted')
      assert.equal(world.spans.started, 1)
    })

    it('rootSpans: false makes no receive span outside of a span, and the processing ones all the same', async () => {
      const { subject, name } = await stream.consumer()
      await stream.publish(subject, ['1', '2', '3'])
      const connection = await world.connect({ rootSpans: false })
      const consumer = await jetstream(connection).consumers.get('WORK', name)
      assert.equal((await consumer.next())?.string(), '1')
      for await (const message of await consumer.fetch({ max_messages: 1 })) message.ack()
      assert.deepEqual(new Set(world.spans.names()), new Set([`process ${subject}`, `ack ${subject}`]))
      world.spans.reset()
      await world.inRoot(() => consumer.next())
      assert.equal(world.spans.named(`receive ${subject}`).parentId, world.spans.named('root').spanId)
      await connection.close()
    })

    it('an ordered consumer gives all in order, with a span each, by consume, fetch and next', async () => {
      const { subject } = await stream.consumer()
      const publishers = await stream.publish(subject, ['1', '2', '3', '4'])
      const ordered = () => stream.js.consumers.get('WORK', { filter_subjects: subject })
      const texts: string[] = []
      const read = async (messages: ConsumerMessages, count: number): Promise<void> => {
        for await (const message of messages) {
          assert.notEqual(activeSpanId(), undefined)
          texts.push(message.string())
          if (message.string() === String(count)) break
        }
      }
      await read(await (await ordered()).consume(), 4)
      assert.deepEqual(
        ofKind(world.spans.ended, 'CONSUMER').map((span) => span.linkIds[0]),
        publishers,
      )
      world.spans.reset()
      const fetching = await ordered()
      await read(await fetching.fetch({ max_messages: 2 }), 9)
      await read(await fetching.fetch({ max_messages: 2 }), 9)
      const next = await (await ordered()).next()
      assert.deepEqual([...texts, next?.string()], ['1', '2', '3', '4', '1', '2', '3', '4', '1'])
      assert.deepEqual(
        world.spans.ended.filter(({ name }) => name === `receive ${subject}`).map(({ linkIds }) => linkIds),
        [publishers.slice(0, 2), publishers.slice(2), publishers.slice(0, 1)],
      )
      assert.equal(world.spans.started, world.spans.ended.length)
    })

    it('push consumers, as loop and as callback: one span a message, wherever the server delivers', async () => {
      for (const deliver_subject of ['deliver.here', '_INBOX.deliver.there']) {
        const { subject } = await stream.consumer()
        const name = `push_${subject.slice(-3).replace('.', '_')}`
        await stream.manager.consumers.add('WORK', {
          durable_name: name,
          deliver_subject,
          filter_subject: subject,
          ack_policy: 'explicit',
        } as never)
        const [first, second] = await stream.publish(subject, ['1', '2'])
        const push = await stream.js.consumers.getPushConsumer('WORK', name)
        world.spans.reset()
        const loop = await push.consume()
        for await (const message of loop) {
          assert.equal(world.spans.started, 1)
          message.ack()
          break
        }
        assert.deepEqual(world.spans.names(), [`ack ${subject}`, `process ${subject}`])
        assert.deepEqual(world.spans.named(`process ${subject}`).linkIds, [first])
        await loop.closed()
        await stream.manager.consumers.delete('WORK', name)

        const ordered = await stream.js.consumers.getPushConsumer('WORK', {
          filter_subjects: subject,
        })
        world.spans.reset()
        const arrived = deferred()
        const inside: (string | undefined)[] = []
        const messages = await ordered.consume({
          callback: () => {
            inside.push(activeSpanId())
            if (inside.length === 2) arrived.resolve()
          },
        })
        await arrived.promise
        await world.spans.wait(2)
        await messages.close()
        assert.deepEqual(
          ofKind(world.spans.ended, 'CONSUMER').map((span) => [span.spanId, span.linkIds[0]]),
          [
            [inside[0], first],
            [inside[1], second],
          ],
        )
        assert.equal(world.spans.started, 2)
      }
    })

    it('a bound push consumer has its spans', async () => {
      const { subject } = await stream.consumer()
      await stream.manager.consumers.add('WORK', {
        durable_name: 'bound',
        deliver_subject: 'deliver.bound',
        filter_subject: subject,
        ack_policy: 'none',
      } as never)
      const push = await stream.js.consumers.getBoundPushConsumer({ deliver_subject: 'deliver.bound' })
      const messages = await push.consume()
      const [publisher] = await stream.publish(subject, ['x'])
      for await (const _ of messages) break
      assert.deepEqual(world.spans.named(`process ${subject}`).linkIds, [publisher])
      assert.equal(world.spans.started, 1)
      await stream.manager.consumers.delete('WORK', 'bound')
    })
  })
}
