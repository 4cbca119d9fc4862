import assert from 'node:assert/strict'
import { before, beforeEach, describe, it } from 'node:test'
import {
  AckPolicy,
  type JetStreamClient,
  type JetStreamManager,
  jetstream,
  jetstreamManager,
} from '@nats-io/jetstream'
import { headers } from '@nats-io/nats-core'
import { processMessage, tracedJetstream, withSendAttributes } from '../index.ts'
import { activeSpanId, type Harness, World } from './harness.ts'

/** Publish, and the three ways of a pull consumer, with acks. */
export function jetstreamContract(harness: Harness): void {
  describe(`JetStream under ${harness.name}`, () => {
    const world = new World(harness)
    let js: JetStreamClient
    let manager: JetStreamManager
    before(async () => {
      manager = await jetstreamManager(world.untraced)
      await manager.streams.add({ name: 'JOBS', subjects: ['jobs.>'] })
      js = jetstream(world.traced)
    })
    beforeEach(() => world.spans.reset())

    async function durable(name: string, subject: string, ackWaitMs = 30_000): Promise<string> {
      const config = { durable_name: name, ack_policy: AckPolicy.Explicit, filter_subject: subject }
      await manager.consumers.add('JOBS', { ...config, ack_wait: ackWaitMs * 1e6 })
      return name
    }

    async function unacknowledged(name: string): Promise<[pending: number, unacknowledged: number]> {
      const info = await manager.consumers.info('JOBS', name)
      return [info.num_pending, info.num_ack_pending]
    }

    it('publish is one PRODUCER span with the ack inside', async () => {
      const own = headers()
      own.set('X-Mine', '1')
      const options = { msgID: 'once', headers: own, expect: { streamName: 'JOBS' } }
      const ack = await world.inRoot(() => js.publish('jobs.publish', 'data', options))
      assert.deepEqual(own.keys(), ['X-Mine'])
      const again = await js.publish('jobs.publish', 'data', { msgID: 'once' })
      assert.deepEqual([again.seq, again.duplicate], [ack.seq, true])
      assert.deepEqual(world.spans.names(), ['publish jobs.publish', 'root', 'publish jobs.publish'])
      const [first, root, second] = world.spans.ended
      assert.deepEqual([first?.kind, first?.parentId], ['PRODUCER', root?.spanId])
      assert.deepEqual(first?.attributes, {
        'messaging.system': 'nats',
        'messaging.destination.name': 'jobs.publish',
        'messaging.operation.name': 'publish',
        'messaging.operation.type': 'send',
        'messaging.message.id': 'once',
        'messaging.message.body.size': 4,
        'messaging.nats.stream': 'JOBS',
        'messaging.nats.stream_sequence': ack.seq,
        'server.address': '127.0.0.1',
        'server.port': world.server.port,
      })
      assert.equal(second?.attributes['messaging.nats.duplicate'], true)
      const stored = await manager.streams.getMessage('JOBS', { seq: ack.seq })
      assert.equal(stored?.header.get('X-Mine'), '1')
      assert.match(stored?.header.get('traceparent') ?? '', new RegExp(`-${first?.spanId}-`))
    })

    it('what is published in withSendAttributes has them on its span, and nothing else has', async () => {
      const ack = await withSendAttributes({ 'job.id': '7', 'messaging.system': 'mine' }, () =>
        js.publish('jobs.attributes', 'data'),
      )
      await js.publish('jobs.without', 'data')
      assert.equal(typeof ack.seq, 'number')
      const { attributes } = world.spans.named('publish jobs.attributes')
      assert.deepEqual([attributes['job.id'], attributes['messaging.system']], ['7', 'nats'])
      assert.equal(world.spans.named('publish jobs.without').attributes['job.id'], undefined)
    })

    it('a refused publish ends its span with the client error', async () => {
      const untraced: unknown = await jetstream(world.untraced)
        .publish('no.such.stream', '')
        .catch((error) => error)
      assert.ok(untraced instanceof Error)
      const { name, message } = untraced
      await assert.rejects(js.publish('no.such.stream', ''), { name, message })
      assert.equal(world.spans.named('publish no.such.stream').error, message)
      const wrong = { expect: { lastSequence: 12_345 } }
      await assert.rejects(js.publish('jobs.refused', '', wrong), { name: 'JetStreamApiError' })
      assert.match(world.spans.named('publish jobs.refused').error ?? '', /wrong last sequence/)
    })

    it('consume, as loop and as callback: a CONSUMER span per message', async () => {
      const consumer = await js.consumers.get('JOBS', await durable('consume', 'jobs.consume'))
      world.spans.reset()
      await world.inRoot(async () => {
        await js.publish('jobs.consume', '1')
        await js.publish('jobs.consume', '2')
      })
      const texts: string[] = []
      for await (const message of await consumer.consume()) {
        assert.notEqual(activeSpanId(), undefined)
        await world.untraced.flush()
        world.tracer.startSpan(`inside ${message.string()}`).end()
        texts.push(message.string())
        message.ack()
        if (texts.length === 2) break
      }
      assert.deepEqual(texts, ['1', '2'])
      const consumed = world.spans.ended.filter((span) => span.kind === 'CONSUMER')
      const published = world.spans.ended.filter((span) => span.kind === 'PRODUCER')
      assert.deepEqual(
        consumed.map((span) => [span.name, span.parentId, span.linkIds[0]]),
        published.map((span) => ['process jobs.consume', span.spanId, span.spanId]),
      )
      assert.deepEqual(
        consumed.map((span) => world.spans.named(`inside ${consumed.indexOf(span) + 1}`).parentId),
        consumed.map((span) => span.spanId),
      )
      const { attributes } = consumed[0] ?? assert.fail()
      assert.equal(attributes['messaging.nats.stream'], 'JOBS')
      assert.equal(attributes['messaging.destination.subscription.name'], 'consume')
      assert.equal(attributes['messaging.nats.delivery_count'], 1)
      // root; a publish, its processing, what that made and its ack for each; pulls are none.
      assert.equal(world.spans.started, 1 + 4 * 2)

      world.spans.reset()
      await js.publish('jobs.consume', '3')
      const inCallback = new Promise<string | undefined>((resolve, reject) => {
        const callback = (message: { ack(): void }): void => {
          message.ack()
          resolve(activeSpanId())
        }
        consumer.consume({ callback }).then((messages) => inCallback.finally(() => messages.stop()), reject)
      })
      const inside = await inCallback
      await world.spans.wait(3)
      assert.equal(world.spans.named('process jobs.consume').spanId, inside)
      let waiting = 1
      while (waiting > 0) waiting = (await unacknowledged('consume'))[1]
    })

    it('next: a receive span when there is a message, processed by processMessage, nothing otherwise', async () => {
      const consumer = await js.consumers.get('JOBS', await durable('next', 'jobs.next'))
      world.spans.reset()
      assert.equal(await consumer.next({ expires: 1_000 }), null)
      assert.equal(world.spans.started, 0)
      await js.publish('jobs.next', 'x')
      const message = await consumer.next()
      assert.ok(message)
      const result = await processMessage(
        message,
        { name: 'job.process', attributes: { 'job.id': '1' } },
        async () => {
          await message.ackAck()
          return activeSpanId()
        },
      )
      const publish = world.spans.named('publish jobs.next')
      const receive = world.spans.named('receive jobs.next')
      assert.deepEqual(
        [receive.kind, receive.parentId, receive.linkIds],
        ['CLIENT', undefined, [publish.spanId]],
      )
      const job = world.spans.named('job.process')
      assert.equal(job.spanId, result)
      assert.deepEqual([job.kind, job.parentId, job.linkIds], ['CONSUMER', publish.spanId, [publish.spanId]])
      assert.equal(job.attributes['job.id'], '1')
      assert.equal(job.attributes['messaging.destination.name'], 'jobs.next')
      assert.equal(world.spans.named('ackAck jobs.next').parentId, job.spanId)
      assert.equal(world.spans.started, 4)
      assert.deepEqual(await unacknowledged('next'), [0, 0])
    })

    it('a redelivered message has a CONSUMER span for each attempt, with its count and the same parent', async () => {
      const consumer = await js.consumers.get('JOBS', await durable('again', 'jobs.again'))
      await js.publish('jobs.again', 'x')
      for await (const message of await consumer.consume()) {
        if (message.redelivered) {
          message.ack()
          break
        }
        message.nak()
      }
      const publish = world.spans.named('publish jobs.again')
      const attempts = world.spans.ended.filter((span) => span.kind === 'CONSUMER')
      assert.deepEqual(
        attempts.map((span) => [
          span.attributes['messaging.nats.delivery_count'],
          span.parentId,
          span.linkIds[0],
        ]),
        [1, 2].map((count) => [count, publish.spanId, publish.spanId]),
      )
    })

    it('a consumer of a stream object, and one from its info, are traced as well', async () => {
      await durable('stream', 'jobs.stream')
      await js.publish('jobs.stream', '1')
      await js.publish('jobs.stream', '2')
      world.spans.reset()
      const ofStream = await (await js.streams.get('JOBS')).getConsumer('stream')
      for await (const message of await ofStream.fetch({ max_messages: 1 })) message.ack()
      const fromInfo = js.consumers.getConsumerFromInfo(await manager.consumers.info('JOBS', 'stream'))
      for await (const message of await fromInfo.fetch({ max_messages: 1 })) message.ack()
      assert.deepEqual(
        world.spans.ended.filter((span) => span.kind === 'CONSUMER').map((span) => span.name),
        ['process jobs.stream', 'process jobs.stream'],
      )
      assert.equal((await ofStream.info()).name, 'stream')
      assert.equal(await fromInfo.delete(), true)
    })

    it('a client on an untraced connection of the same program is not touched', async () => {
      const plain = jetstream(world.untraced)
      await durable('plain', 'jobs.plain')
      await world.inRoot(() => plain.publish('jobs.plain', 'x'))
      await plain.publish('jobs.plain', 'y')
      const consumer = await plain.consumers.get('JOBS', 'plain')
      const message = await consumer.next()
      assert.equal(message?.headers, undefined)
      for await (const one of await consumer.fetch({ max_messages: 1 })) {
        assert.equal(activeSpanId(), undefined)
        one.ack()
      }
      assert.deepEqual(world.spans.names(), ['root'])
    })

    it('wrapping what is traced already changes nothing', () => {
      assert.equal(tracedJetstream(js), js)
      const alone = tracedJetstream(jetstream(world.untraced), {})
      assert.equal(tracedJetstream(alone), alone)
    })
  })
}
