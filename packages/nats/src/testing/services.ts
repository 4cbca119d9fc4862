import assert from 'node:assert/strict'
import { beforeEach, describe, it } from 'node:test'
import type { Msg } from '@nats-io/nats-core'
import { type Service, type ServiceMsg, Svcm } from '@nats-io/services'
import { processMessage, tracedSvcm } from '../index.ts'
import { activeSpanId, collect, deferred, type Harness, World } from './harness.ts'

/** Endpoints of the services framework: handlers, loops, errors, discovery. */
export function servicesContract(harness: Harness): void {
  describe(`services under ${harness.name}`, () => {
    const world = new World(harness)
    beforeEach(() => world.spans.reset())
    let services = 0

    async function service(manager: Svcm = managerOf(world.traced)): Promise<Service> {
      services++
      return await manager.add({ name: `service-${services}`, version: '1.0.0' })
    }

    it('request, endpoint and answer are one trace, in a group as at the top', async () => {
      const served = await service()
      const texts: string[] = []
      const handler = (_: Error | null, message: ServiceMsg): void => {
        texts.push(`${message.string()} ${activeSpanId() !== undefined}`)
        message.respond('done')
      }
      served.addEndpoint('top', handler)
      served.addGroup('g').addEndpoint('inner', { handler, subject: 'by.*', queue: 'qq' })
      await world.traced.flush()
      const reply = await world.inRoot(() => world.traced.request('g.by.4711', 'ask'))
      assert.equal(reply.string(), 'done')
      await world.spans.wait(4)
      const request = world.spans.named('request g.by.{id}')
      const process = world.spans.named('process g.by.*')
      const respond = world.spans.named('publish _INBOX.*')
      assert.deepEqual([request.kind, request.parentId], ['CLIENT', world.spans.named('root').spanId])
      assert.deepEqual(
        [process.kind, process.parentId, process.linkIds],
        ['CONSUMER', request.spanId, [request.spanId]],
      )
      assert.deepEqual([respond.kind, respond.parentId], ['PRODUCER', process.spanId])
      assert.equal(process.attributes['messaging.destination.name'], 'g.by.4711')
      assert.equal(process.attributes['messaging.consumer.group.name'], 'qq')
      world.spans.reset()
      await world.traced.request('top', 'ask')
      await world.spans.wait(3)
      assert.equal(world.spans.named('process top').parentId, world.spans.named('request top').spanId)
      assert.deepEqual(texts, ['ask true', 'ask true'])
      await served.stop()
    })

    it('an async handler keeps its span until its promise settles', async () => {
      const served = await service()
      const finish = deferred()
      const slow = async (message: ServiceMsg): Promise<void> => {
        message.respond('early')
        await finish.promise
        world.tracer.startSpan('late').end()
      }
      // The framework's type of a handler returns nothing, but people give it async ones.
      served.addEndpoint('slow', (_, message) => slow(message) as unknown as undefined)
      await world.traced.flush()
      await world.untraced.request('slow')
      await world.spans.wait(1)
      assert.deepEqual(world.spans.names(), ['publish _INBOX.*'])
      finish.resolve()
      await world.spans.wait(3)
      assert.equal(world.spans.named('late').parentId, world.spans.named('process slow').spanId)
      await served.stop()
    })

    it('an endpoint without a handler: the body of its loop is inside of the request, and ends with it', async () => {
      const served = await service()
      const requests = served.addEndpoint('loop')
      await world.traced.flush()
      const inside: (string | undefined)[] = []
      const loop = (async () => {
        for await (const message of requests) {
          await Promise.resolve()
          inside.push(activeSpanId())
          message.respond(message.string())
          if (inside.length === 2) break
        }
      })()
      for (const text of ['1', '2']) {
        assert.equal((await world.traced.request('loop', text)).string(), text)
      }
      await loop
      await world.spans.wait(6)
      const processed = world.spans.ended.filter((span) => span.kind === 'CONSUMER')
      const requested = world.spans.ended.filter((span) => span.kind === 'CLIENT')
      assert.deepEqual(
        processed.map((span) => [span.name, span.parentId, span.spanId]),
        requested.map((span, index) => ['process loop', span.spanId, inside[index]]),
      )
      for (const span of world.spans.ended.filter(({ name }) => name === 'publish _INBOX.*')) {
        assert.ok(inside.includes(span.parentId))
      }
      assert.equal(world.spans.started, 6)
      // Leaving the loop ends the service, as it does without tracing.
      assert.equal(await served.stopped, null)
    })

    it('what a handler throws, and an error answer, are the error of its span and the answer of the client', async () => {
      const served = await service()
      served.addEndpoint('throws', () => {
        throw new TypeError('broken')
      })
      served.addEndpoint('refuses', (_, message) => void message.respondError(404, 'not here'))
      await world.traced.flush()
      const thrown = await world.untraced.request('throws')
      assert.deepEqual(
        [thrown.headers?.get('Nats-Service-Error-Code'), thrown.headers?.get('Nats-Service-Error')],
        ['500', 'broken'],
      )
      const refused = await world.untraced.request('refuses')
      assert.equal(refused.headers?.get('Nats-Service-Error-Code'), '404')
      await world.spans.wait(4)
      const failed = world.spans.named('process throws')
      assert.deepEqual([failed.error, failed.attributes['error.type']], ['broken', 'TypeError'])
      const answered = world.spans.named('process refuses')
      assert.deepEqual([answered.error, answered.attributes['error.type']], ['not here', '404'])
      const stats = await served.stats()
      assert.deepEqual(
        stats.endpoints?.map((endpoint) => [endpoint.name, endpoint.num_requests, endpoint.num_errors]),
        [
          ['throws', 1, 1],
          ['refuses', 1, 0],
        ],
      )
      await served.stop()
    })

    it('processMessage names the span of a request', async () => {
      const served = await service()
      served.addEndpoint('named', (_, message) =>
        processMessage(message as unknown as Msg, { name: 'mine' }, () => void message.respond('x')),
      )
      await world.traced.flush()
      await world.untraced.request('named')
      await world.spans.wait(2)
      assert.deepEqual(world.spans.names().toSorted(), ['mine', 'publish _INBOX.*'])
      await served.stop()
    })

    it('discovery makes no spans, on neither side', async () => {
      const served = await service()
      served.addEndpoint('found', () => {})
      const client = managerOf(world.traced).client({ maxWait: 5_000, strategy: 'count', maxMessages: 1 })
      const { name, id } = served.info()
      assert.deepEqual(
        (await collect(await client.ping(name))).map((answer) => answer.id),
        [id],
      )
      assert.deepEqual(
        (await collect(await client.info(name))).map((answer) => answer.id),
        [id],
      )
      assert.deepEqual(
        (await collect(await client.stats(name))).map((answer) => answer.id),
        [id],
      )
      assert.equal(world.spans.started, 0)
      await served.stop()
    })

    it('on an untraced connection, and after stop, nothing is left of tracing', async () => {
      const served = await service(managerOf(world.untraced))
      const active: (string | undefined)[] = []
      served.addEndpoint('plain', (_, message) => {
        active.push(activeSpanId())
        message.respond('x')
      })
      await world.untraced.flush()
      assert.equal((await world.untraced.request('plain')).string(), 'x')
      assert.deepEqual([active, world.spans.started], [[undefined], 0])
      await served.stop()
      const wrapped = tracedSvcm(managerOf(world.traced))
      assert.equal(tracedSvcm(wrapped), wrapped)
      const twice = await service(wrapped)
      twice.addEndpoint('twice', (_, message) => void message.respond('x'))
      await world.traced.flush()
      await world.untraced.request('twice')
      await world.spans.wait(2)
      assert.equal(world.spans.started, 2)
      await twice.stop()
    })
  })
}

/** The services package brings a core of its own, whose types are not those of the connection. */
function managerOf(connection: unknown): Svcm {
  return new Svcm(connection as ConstructorParameters<typeof Svcm>[0])
}
