import assert from 'node:assert/strict'
import { beforeEach, describe, it } from 'node:test'
import { jetstream, jetstreamManager } from '@nats-io/jetstream'
import { type Harness, World } from './harness.ts'
import { ofKind, Stream } from './stream.ts'

/** Deliveries that fail, and what becomes of a message that is given up; publishes that are tried again. */
export function deadLetterContract(harness: Harness): void {
  describe(`redelivery and dead letters under ${harness.name}`, () => {
    const world = new World(harness)
    const stream = new Stream(world, 'DLQ')
    beforeEach(() => world.spans.reset())

    it('each attempt is a span of its own with its count, below and linked to the same writer', async () => {
      const { subject, consumer } = await stream.consumer()
      const [publisher] = await stream.publish(subject, ['x'])
      for await (const message of await consumer.consume()) {
        if (message.info.deliveryCount === 3) {
          message.ack()
          break
        }
        message.nak(message.info.deliveryCount)
      }
      assert.deepEqual(
        ofKind(world.spans.ended, 'CONSUMER').map((span) => [
          span.attributes['messaging.nats.delivery_count'],
          span.attributes['messaging.nats.settlement'],
          span.parentId,
          span.linkIds,
        ]),
        [
          [1, 'nak', publisher, [publisher]],
          [2, 'nak', publisher, [publisher]],
          [3, 'ack', publisher, [publisher]],
        ],
      )
    })

    it('a message sent on to a dead-letter subject is linked to the original, in the same trace', async () => {
      const { subject, consumer } = await stream.consumer()
      const [publisher] = await stream.publish(subject, ['bad'])
      for await (const message of await consumer.consume()) {
        await stream.js.publish('dlq.dead', message.data, { headers: message.headers ?? assert.fail() })
        message.term('gave up')
        break
      }
      const dead = world.spans.named('publish dlq.dead')
      const process = world.spans.named(`process ${subject}`)
      assert.deepEqual([dead.kind, dead.parentId, dead.linkIds], ['PRODUCER', process.spanId, [publisher]])
    })

    it('what the server gives up: the advisory, the stored message and its dead letter lead to the original', async () => {
      const { subject, name, consumer } = await stream.consumer({ max_deliver: 2 })
      const [publisher] = await stream.publish(subject, ['lost'])
      const advisories = world.traced.subscribe(
        `$JS.EVENT.ADVISORY.CONSUMER.MAX_DELIVERIES.${stream.name}.${name}`,
      )
      const messages = await consumer.consume()
      const loop = (async () => {
        for await (const message of messages) message.nak()
      })()
      const manager = await jetstreamManager(world.traced)
      for await (const advisory of advisories) {
        const { stream_seq: seq } = advisory.json<{ stream_seq: number }>()
        const stored = await manager.streams.getMessage(stream.name, { seq })
        assert.equal(stored?.string(), 'lost')
        await stream.js.publish('dlq.given-up', stored.data, { headers: stored.header })
        break
      }
      messages.stop()
      await loop
      assert.deepEqual(world.spans.named('jetstream.stream.msg.get DLQ').linkIds, [publisher])
      const dead = world.spans.named('publish dlq.given-up')
      assert.deepEqual([dead.parentId, dead.linkIds], [publisher, [publisher]])
      assert.equal(ofKind(world.spans.ended, 'CONSUMER').length, 2)
      assert.equal(world.spans.started, world.spans.ended.length)
    })

    it('a publish that is tried again is one span, which says how often', async () => {
      const refusing = jetstream(world.traced, { timeout: 1_000 })
      const attempts: unknown[] = []
      const responder = world.untraced.subscribe('nobody.yet')
      responder.unsubscribe()
      await assert.rejects(refusing.publish('nobody.yet', 'x', { retries: 3 }), {
        name: 'JetStreamNotEnabled',
      })
      const span = world.spans.named('publish nobody.yet')
      attempts.push(span.attributes['messaging.nats.publish_attempts'])
      assert.deepEqual([attempts, span.exceptions, span.kind], [[3], 1, 'PRODUCER'])
      assert.equal(world.spans.started, 1)
      await stream.publish('dlq.once', ['x'])
      await stream.js.publish('dlq.once', 'x')
      assert.equal(
        world.spans.named('publish dlq.once').attributes['messaging.nats.publish_attempts'],
        undefined,
      )
    })
  })
}
