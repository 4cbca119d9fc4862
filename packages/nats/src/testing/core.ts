import assert from 'node:assert/strict'
import { beforeEach, describe, it } from 'node:test'
import { createInbox, headers, type Msg } from '@nats-io/nats-core'
import { context, propagation } from '@opentelemetry/api'
import { processMessage, traceNats } from '../index.ts'
import { activeSpanId, collect, deferred, type Harness, World } from './harness.ts'

/** Publish, subscribe and request on the core connection. */
export function coreContract(harness: Harness): void {
  describe(`core under ${harness.name}`, () => {
    const world = new World(harness)
    beforeEach(() => world.spans.reset())

    it('publish is a PRODUCER span, its consumer a linked CONSUMER child, over the headers', async () => {
      const subject = world.subject()
      const received = new Promise<Msg>((resolve) => {
        world.traced.subscribe(subject, { queue: 'q', callback: (_, message) => resolve(message) })
      })
      await world.inRoot(async () => world.traced.publish(subject, 'hello'))
      const message = await received
      await world.spans.wait(3)
      const [root, publish, process] = [
        world.spans.named('root'),
        world.spans.named(`publish ${subject}`),
        world.spans.named(`process ${subject}`),
      ]
      assert.deepEqual([publish.kind, publish.parentId], ['PRODUCER', root.spanId])
      assert.deepEqual(
        [process.kind, process.parentId, process.traceId],
        ['CONSUMER', publish.spanId, root.traceId],
      )
      assert.deepEqual(process.linkIds, [publish.spanId])
      assert.deepEqual(message.headers?.keys(), ['traceparent'])
      assert.equal(message.string(), 'hello')
      const server = { 'server.address': '127.0.0.1', 'server.port': world.server.port }
      assert.deepEqual(publish.attributes, {
        'messaging.system': 'nats',
        'messaging.destination.name': subject,
        'messaging.operation.name': 'publish',
        'messaging.operation.type': 'send',
        'messaging.message.body.size': 5,
        ...server,
      })
      assert.deepEqual(process.attributes, {
        'messaging.system': 'nats',
        'messaging.destination.name': subject,
        'messaging.operation.name': 'process',
        'messaging.operation.type': 'process',
        'messaging.message.body.size': 5,
        'messaging.consumer.group.name': 'q',
        ...server,
      })
    })

    it('a publish outside of any span starts the trace; rootSpans: false makes none', async () => {
      const subject = world.subject()
      const quiet = await world.connect({ rootSpans: false })
      const messages: Msg[] = []
      const subscription = world.untraced.subscribe(subject, {
        callback: (_, message) => void messages.push(message),
      })
      await world.untraced.flush()
      world.traced.publish(subject)
      await world.traced.flush()
      quiet.publish(subject)
      await quiet.flush()
      await quiet.close()
      await subscription.drain()
      assert.deepEqual(world.spans.names(), [`publish ${subject}`])
      assert.equal(world.spans.named(`publish ${subject}`).parentId, undefined)
      const carried = messages.map((message) => message.headers?.keys().join() ?? 'none')
      assert.deepEqual(carried.toSorted(), ['none', 'traceparent'])
    })

    it('leaves the headers and options of the caller alone, and replaces what they carry', async () => {
      const subject = world.subject()
      const messages = world.untraced.subscribe(subject, { max: 2 })
      await world.untraced.flush()
      const own = headers()
      own.append('X-Two', 'a')
      own.append('X-Two', 'b')
      own.set('Traceparent', '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01')
      own.set('TraceState', 'other=1')
      const before = [...own]
      const options = { headers: own }
      await world.inRoot(async () => world.traced.publish(subject, 'x', options))
      // No span is active here: the headers say what trace the message belongs to.
      world.traced.publish(subject, 'y', options)
      assert.deepEqual([...own], before)
      assert.equal(options.headers, own)
      const [first, second] = await collect(messages)
      const root = world.spans.named('root')
      assert.deepEqual(first?.headers?.values('X-Two'), ['a', 'b'])
      assert.equal(first?.headers?.has('TraceState'), false)
      assert.equal(first?.headers?.has('Traceparent'), false)
      assert.match(first?.headers?.get('traceparent') ?? '', new RegExp(`^00-${root.traceId}-`))
      assert.match(second?.headers?.get('traceparent') ?? '', /^00-0af7651916cd43dd8448eb211c80319c-/)
      assert.equal(world.spans.ended.at(-1)?.parentId, 'b7ad6b7169203331')
      assert.equal(second?.headers?.get('tracestate'), 'other=1')
    })

    it('ends the spans of what the client refuses, and throws its error on', async () => {
      const connection = await world.connect()
      await connection.close()
      const refused = (name: string): void => {
        const span = world.spans.named(name)
        assert.equal(span.error, 'closed connection')
        assert.equal(span.exceptions, 1)
        assert.equal(span.attributes['error.type'], 'ClosedConnectionError')
      }
      assert.throws(() => connection.publish('gone'), { name: 'ClosedConnectionError' })
      await assert.rejects(connection.request('asked'), { name: 'ClosedConnectionError' })
      refused('publish gone')
      refused('request asked')
      assert.throws(() => connection.subscribe('gone'), { name: 'ClosedConnectionError' })
      assert.equal(world.spans.started, world.spans.ended.length)
    })

    it('request, reply and the handler between them are one trace', async () => {
      const subject = world.subject()
      world.traced.subscribe(subject, {
        callback: (_, message) => void message.respond(`re: ${message.string()}`),
      })
      const reply = await world.inRoot(() => world.traced.request(subject, 'ask', { timeout: 5_000 }))
      assert.equal(reply.string(), 're: ask')
      await world.spans.wait(4)
      const [request, process, respond] = [
        world.spans.named(`request ${subject}`),
        world.spans.named(`process ${subject}`),
        world.spans.named('publish _INBOX.*'),
      ]
      assert.deepEqual([request.kind, request.parentId], ['CLIENT', world.spans.named('root').spanId])
      assert.deepEqual([process.kind, process.parentId], ['CONSUMER', request.spanId])
      assert.deepEqual([respond.kind, respond.parentId], ['PRODUCER', process.spanId])
      assert.equal(respond.attributes['messaging.destination.temporary'], true)
      assert.equal(respond.attributes['messaging.destination.name'], '_INBOX.*')
    })

    it('no responders, a timeout and a closed connection end the request with the client error', async () => {
      const subject = world.subject()
      world.untraced.subscribe(subject, { callback: () => {} })
      await world.untraced.flush()
      await assert.rejects(world.traced.request('nobody.here'), { name: 'RequestError' })
      assert.match(world.spans.named('request nobody.here').error ?? '', /no responders/)
      await assert.rejects(world.traced.request(subject, '', { timeout: 1 }), { name: 'TimeoutError' })
      assert.match(world.spans.named(`request ${subject}`).error ?? '', /timeout/)
      world.spans.reset()
      const connection = await world.connect()
      const pending = connection.request(subject, '', { timeout: 60_000 })
      await connection.flush()
      await Promise.all([assert.rejects(pending, { name: 'RequestError' }), connection.close()])
      assert.match(world.spans.named(`request ${subject}`).error ?? '', /closed/)
    })

    it('requestMany is one CLIENT span that ends with the last reply, or when the caller leaves', async () => {
      const subject = world.subject()
      for (const name of ['a', 'b']) {
        world.traced.subscribe(subject, { callback: (_, message) => void message.respond(name) })
      }
      const many = { maxWait: 5_000, strategy: 'count', maxMessages: 2 } as const
      const replies = await world.traced.requestMany(subject, '', many)
      assert.deepEqual((await collect(replies)).map((reply) => reply.string()).toSorted(), ['a', 'b'])
      const request = world.spans.named(`request ${subject}`)
      await world.spans.wait(5)
      const processed = world.spans.ended.filter((span) => span.kind === 'CONSUMER')
      assert.deepEqual(
        processed.map((span) => span.parentId),
        [request.spanId, request.spanId],
      )
      world.spans.reset()
      for await (const reply of await world.traced.requestMany(subject, '', many)) {
        assert.ok(reply)
        break
      }
      world.spans.named(`request ${subject}`)
      await assert.rejects(async () => {
        for await (const _ of await world.traced.requestMany('nobody.there', '', { ...many })) assert.fail()
      }, /no responders/)
      assert.match(world.spans.named('request nobody.there').error ?? '', /no responders/)
    })

    it('a callback has its span until its promise settles; what it throws is recorded', async () => {
      const [subject, thrown] = [world.subject(), world.subject()]
      const [started, finish] = [deferred(), deferred()]
      // The client's type of an async callback is a promise that never resolves.
      const callback = async (): Promise<never> => {
        started.resolve()
        await finish.promise
        world.tracer.startSpan('late').end()
        return undefined as never
      }
      world.traced.subscribe(subject, { callback })
      await world.traced.flush()
      world.untraced.publish(subject)
      await started.promise
      assert.deepEqual([world.spans.started, world.spans.ended.length], [1, 0])
      finish.resolve()
      await world.spans.wait(2)
      assert.equal(world.spans.named('late').parentId, world.spans.named(`process ${subject}`).spanId)

      const closing = await world.connect()
      closing.subscribe(thrown, {
        callback: () => {
          throw new TypeError('at once')
        },
      })
      await closing.flush()
      world.untraced.publish(thrown)
      await world.spans.wait(3)
      assert.equal(world.spans.named(`process ${thrown}`).attributes['error.type'], 'TypeError')
      await closing.close()
    })

    it('processMessage names the one CONSUMER span, and starts it on an untraced connection', async () => {
      const subject = world.subject()
      const options = { name: 'job.process', attributes: { 'job.id': '7' } }
      const handled = new Promise<string | undefined>((resolve) => {
        world.traced.subscribe(subject, {
          callback: (_, message) => processMessage(message, options, () => resolve(activeSpanId())),
        })
      })
      const single = world.untraced.subscribe(subject, { max: 1 })
      await world.untraced.flush()
      await world.inRoot(async () => world.traced.publish(subject))
      const inside = await handled
      await world.spans.wait(3)
      assert.equal(world.spans.named('job.process').spanId, inside)
      assert.equal(world.spans.named('job.process').attributes['job.id'], '7')
      assert.equal(world.spans.started, 3)

      const [message] = await collect(single)
      assert.ok(message)
      const failing = processMessage(message, { name: 'by.hand' }, () => Promise.reject(new Error('no')))
      await assert.rejects(failing, /^Error: no$/)
      const byHand = world.spans.named('by.hand')
      const publish = world.spans.named(`publish ${subject}`)
      assert.deepEqual(
        [byHand.kind, byHand.parentId, byHand.linkIds],
        ['CONSUMER', publish.spanId, [publish.spanId]],
      )
      assert.equal(byHand.error, 'no')
    })

    it('processMessage keeps the span open for work that a callback starts and does not await', async () => {
      const subject = world.subject()
      const [started, finish] = [deferred(), deferred()]
      const work = async (): Promise<void> => {
        started.resolve()
        await finish.promise
        world.tracer.startSpan('late').end()
      }
      const callback = (_: unknown, message: Msg): void => void processMessage(message, {}, work)
      world.traced.subscribe(subject, { callback })
      await world.traced.flush()
      world.untraced.publish(subject)
      await started.promise
      assert.deepEqual([world.spans.started, world.spans.ended.length], [1, 0])
      finish.resolve()
      await world.spans.wait(2)
      assert.equal(world.spans.named('late').parentId, world.spans.named(`process ${subject}`).spanId)
    })

    it('takes the options: parent or link only, templates, the span of a message', async () => {
      const subject = world.subject()
      const linked = await world.connect({
        consumerParent: 'link',
        destinationTemplate: (name) => (name === subject ? 'test.{id}' : undefined),
        processSpan: (message) => (message.string() === 'skip' ? false : { attributes: { mine: true } }),
      })
      const handled: string[] = []
      const done = new Promise<void>((resolve) => {
        linked.subscribe(subject, {
          callback: (_, message) => {
            handled.push(message.string())
            if (handled.length === 2) resolve()
          },
        })
      })
      await linked.flush()
      await world.inRoot(async () => linked.publish(subject, 'skip'))
      linked.publish(subject, 'take')
      await done
      await world.spans.wait(4)
      const process = world.spans.named('process test.{id}')
      const publish = world.spans.ended.filter((span) => span.name === 'publish test.{id}').at(-1)
      assert.equal(process.parentId, undefined)
      assert.deepEqual(process.linkIds, [publish?.spanId])
      assert.notEqual(process.traceId, publish?.traceId)
      assert.equal(process.attributes['mine'], true)
      assert.equal(process.attributes['messaging.destination.template'], 'test.{id}')
      assert.equal(process.attributes['messaging.destination.name'], subject)
      await linked.close()
    })

    it('keeps baggage and drops that of the frame around the subscription', async () => {
      const subject = world.subject()
      const received = new Promise<string[]>((resolve) => {
        world.traced.subscribe(subject, {
          callback: () =>
            resolve(
              propagation
                .getBaggage(context.active())
                ?.getAllEntries()
                .map(([key]) => key) ?? [],
            ),
        })
      })
      const baggage = propagation.createBaggage({ mine: { value: '1' } })
      context.with(propagation.setBaggage(context.active(), baggage), () => world.traced.publish(subject))
      assert.deepEqual(await received, ['mine'])
    })

    it('is the same connection to its user', async () => {
      const { traced } = world
      assert.equal(traceNats(traced), traced)
      assert.equal(Object.getPrototypeOf(traced), Object.getPrototypeOf(world.untraced))
      assert.equal(traced.info?.port, world.server.port)
      const inbox = createInbox()
      const subscription = traced.subscribe(inbox)
      let message: Msg | undefined
      await traced.flush()
      world.untraced.publish(inbox, 'direct')
      for await (const reply of subscription) {
        assert.equal(activeSpanId(), undefined)
        assert.equal(reply.string(), 'direct')
        message = reply
        break
      }
      assert.ok(message)
      const copied = world.subject()
      const copies = world.untraced.subscribe(copied, { max: 2 })
      await world.untraced.flush()
      const source: Msg = { ...message, subject: copied, data: new Uint8Array([1]), reply: copied }
      traced.publishMessage(source)
      assert.equal(traced.respondMessage(source), true)
      assert.equal(traced.respondMessage({ ...source, reply: '' }), false)
      assert.deepEqual(
        (await collect(copies)).map((copy) => [copy.reply, copy.data.length]),
        [
          [copied, 1],
          [copied, 1],
        ],
      )
      const connection = await world.connect()
      await connection.drain()
      assert.equal(connection.isDraining(), true)
      assert.equal(connection.isClosed(), true)
    })
  })
}
