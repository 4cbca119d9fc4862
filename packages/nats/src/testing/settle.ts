import assert from 'node:assert/strict'
import { beforeEach, describe, it } from 'node:test'
import type { JsMsg } from '@nats-io/jetstream'
import { jetstream } from '@nats-io/jetstream'
import { processMessage, tracedJetstream } from '../index.ts'
import { type Harness, type SpanView, World } from './harness.ts'
import { Stream } from './stream.ts'

/** How a message is settled: a CLIENT span each, and the outcome on the message's own span. */
export function settleContract(harness: Harness): void {
  describe(`settling under ${harness.name}`, () => {
    const world = new World(harness)
    const stream = new Stream(world, 'SETTLE')
    beforeEach(() => world.spans.reset())

    interface Settled {
      readonly publisher: string | undefined
      readonly process: SpanView
      readonly settle: SpanView
    }

    /** Publishes one message, settles it in the body of a loop, and gives the two spans. */
    async function settled(settle: (message: JsMsg) => unknown): Promise<Settled> {
      const { subject, consumer } = await stream.consumer()
      const [publisher] = await stream.publish(subject, ['x'])
      for await (const message of await consumer.consume()) {
        await settle(message)
        break
      }
      assert.equal(world.spans.ended.length, 2, world.spans.names().join())
      const [first, second] = world.spans.ended
      assert.ok(first !== undefined && second !== undefined)
      assert.equal(second.name, `process ${subject}`)
      return { publisher, process: second, settle: first }
    }

    it('ack, nak, term and working: named after it, inside the message, linked to its writer', async () => {
      const ways: Record<string, [settle: (message: JsMsg) => unknown, outcome: string | undefined]> = {
        ack: [(message) => message.ack(), 'ack'],
        nak: [(message) => message.nak(), 'nak'],
        term: [(message) => message.term(), 'term'],
        working: [(message) => message.working(), undefined],
        ackAck: [(message) => message.ackAck(), 'ack'],
      }
      for (const [name, [way, outcome]] of Object.entries(ways)) {
        const { publisher, process, settle } = await settled(way)
        const subject = process.attributes['messaging.destination.name']
        assert.equal(settle.name, `${name} ${String(subject)}`)
        assert.deepEqual(
          [settle.kind, settle.parentId, settle.traceId, settle.linkIds, settle.error],
          ['CLIENT', process.spanId, process.traceId, [publisher], undefined],
        )
        assert.deepEqual(settle.attributes, {
          'messaging.system': 'nats',
          'messaging.destination.name': subject,
          'messaging.operation.name': name,
          'messaging.operation.type': 'settle',
          'messaging.nats.stream': 'SETTLE',
          'messaging.destination.subscription.name':
            process.attributes['messaging.destination.subscription.name'],
          'messaging.nats.stream_sequence': process.attributes['messaging.nats.stream_sequence'],
          'messaging.nats.delivery_count': 1,
          'server.address': '127.0.0.1',
          'server.port': world.server.port,
        })
        assert.equal(process.attributes['messaging.nats.settlement'], outcome, name)
        assert.equal(process.error, undefined)
      }
    })

    it('nak tells its delay, term its reason, cut to a bound', async () => {
      const nak = await settled((message) => message.nak(60_000))
      assert.equal(nak.settle.attributes['messaging.nats.nak_delay_ms'], 60_000)
      const term = await settled((message) => message.term('x'.repeat(300)))
      assert.equal(term.settle.attributes['messaging.nats.term_reason'], 'x'.repeat(256))
    })

    it('only what the client sends: a second settling is none, as in the client', async () => {
      const { settle } = await settled(async (message) => {
        assert.equal(await message.ackAck(), true)
        message.ack()
        message.nak()
        assert.equal(await message.ackAck(), false)
      })
      assert.match(settle.name, /^ackAck /)
    })

    it('reaches the server as the untraced client has it', async () => {
      const { subject, name, consumer } = await stream.consumer()
      await stream.publish(subject, ['ack', 'nak', 'term', 'ackAck'])
      const deliveries: string[] = []
      for await (const message of await consumer.consume()) {
        deliveries.push(`${message.string()} ${message.info.deliveryCount}`)
        if (message.string() === 'ack') message.ack()
        else if (message.string() === 'term') message.term()
        else if (message.string() === 'ackAck') await message.ackAck()
        else if (message.redelivered) await message.ackAck()
        else message.nak()
        if (deliveries.length === 5) break
      }
      assert.deepEqual(deliveries.toSorted(), ['ack 1', 'ackAck 1', 'nak 1', 'nak 2', 'term 1'])
      await stream.settled(name)
    })

    it('after the loop, and without one: below the span of the message, or its writer', async () => {
      const { subject, consumer } = await stream.consumer()
      const publishers = await stream.publish(subject, ['late', 'next', 'handled'])
      let late: JsMsg | undefined
      for await (const message of await consumer.fetch({ max_messages: 1 })) late = message
      late?.ack()
      const process = world.spans.named(`process ${subject}`)
      assert.deepEqual(
        [world.spans.ended.at(-1)?.parentId, world.spans.ended.at(-1)?.linkIds],
        [process.spanId, [publishers[0]]],
      )
      const next = await consumer.next()
      next?.ack()
      assert.deepEqual(
        [world.spans.ended.at(-1)?.parentId, world.spans.ended.at(-1)?.linkIds],
        [publishers[1], [publishers[1]]],
      )
      const handled = await consumer.next()
      assert.ok(handled)
      processMessage(handled, { name: 'job' }, () => handled.nak())
      assert.equal(world.spans.named(`nak ${subject}`).parentId, world.spans.named('job').spanId)
      assert.equal(world.spans.named('job').attributes['messaging.nats.settlement'], 'nak')
    })

    it('settleSpans: false leaves the outcome; messages of untraced connections are left alone', async () => {
      const quiet = await world.connect({ settleSpans: false })
      const { subject, name } = await stream.consumer()
      await stream.publish(subject, ['1', '2'])
      const consumer = await tracedJetstream(jetstream(quiet)).consumers.get('SETTLE', name)
      world.spans.reset()
      for await (const message of await consumer.fetch({ max_messages: 1 })) await message.ackAck()
      assert.deepEqual(world.spans.names(), [`process ${subject}`, `receive ${subject}`])
      assert.equal(world.spans.named(`process ${subject}`).attributes['messaging.nats.settlement'], 'ack')
      await quiet.close()
      world.spans.reset()
      const untraced = await jetstream(world.untraced).consumers.get('SETTLE', name)
      const message = await untraced.next()
      assert.equal(await message?.ackAck(), true)
      assert.equal(world.spans.started, 0)
    })

    it('nothing is recorded in an unsampled trace, and the message is settled', async () => {
      const { subject, name, consumer } = await stream.consumer()
      const { headers } = await import('@nats-io/nats-core')
      const unsampled = headers()
      unsampled.set('traceparent', '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00')
      await jetstream(world.untraced).publish(subject, '', { headers: unsampled })
      for await (const message of await consumer.consume()) {
        await message.ackAck()
        break
      }
      assert.deepEqual(world.spans.names(), [])
      await stream.settled(name)
    })

    it('a confirmation that does not come ends the span with the client error', async () => {
      const connection = await world.connect()
      const { subject, name } = await stream.consumer()
      await stream.publish(subject, ['x'])
      const consumer = await tracedJetstream(jetstream(connection)).consumers.get('SETTLE', name)
      const message = await consumer.next()
      assert.ok(message)
      await connection.close()
      world.spans.reset()
      await assert.rejects(message.ackAck({ timeout: 20 }), { name: 'TimeoutError' })
      assert.equal(world.spans.named(`ackAck ${subject}`).attributes['error.type'], 'TimeoutError')
    })
  })
}
