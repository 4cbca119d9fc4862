import assert from 'node:assert/strict'
import { beforeEach, describe, it } from 'node:test'
import { headers, type Msg, type RequestManyOptions, type Subscription } from '@nats-io/nats-core'
import { context, propagation } from '@opentelemetry/api'
import { activeSpanId, collect, deferred, type Harness, type SpanView, World } from './harness.ts'

const forged = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01'

/** What an instrumentation of the core connection easily gets wrong. */
export function trapsContract(harness: Harness): void {
  describe(`traps of the core under ${harness.name}`, () => {
    const world = new World(harness)
    beforeEach(() => world.spans.reset())

    function refused(name: string, error: unknown): void {
      assert.ok(error instanceof Error)
      const span = world.spans.named(name)
      assert.deepEqual([span.error, span.attributes['error.type']], [error.message, error.name])
      assert.equal(world.spans.started, world.spans.ended.length)
    }

    it('what the client refuses is refused with its own error, which ends the span', async () => {
      const payload = new Uint8Array((world.traced.info?.max_payload ?? 0) + 1)
      const calls: [name: string, call: (connection: typeof world.traced) => unknown][] = [
        ['publish large', (connection) => connection.publish('large', payload)],
        ['request large', (connection) => connection.request('large', payload)],
        ['publish bad subject', (connection) => connection.publish('bad subject')],
        ['publish replied', (connection) => connection.publish('replied', '', { reply: 'no good' })],
        ['publish typed', (connection) => connection.publish('typed', 7 as unknown as string)],
        ['request bad subject', (connection) => connection.request('bad subject')],
        ['request timed', (connection) => connection.request('timed', '', { timeout: -1 })],
        ['request many', (connection) => connection.requestMany('many', '', { maxWait: -1 })],
      ]
      for (const [name, call] of calls) {
        world.spans.reset()
        const untraced = await errorOf(() => call(world.untraced))
        const traced = await errorOf(() => call(world.traced))
        assert.deepEqual(
          [(traced as Error).name, (traced as Error).message, (traced as Error).constructor],
          [(untraced as Error).name, (untraced as Error).message, (untraced as Error).constructor],
        )
        refused(name, traced)
      }
    })

    it('a request that the client throws out at once, instead of rejecting, ends its span too', async () => {
      const own = await world.connect()
      const payload = new Uint8Array((own.info?.max_payload ?? 0) + 1)
      // The client forgets the inbox that it has made for it: only the end of the connection stops its timer.
      const error = await errorOf(() => own.request('large', payload, { noMux: true, timeout: 60_000 }))
      refused('request large', error)
      await own.close()
    })

    const strategies: [Partial<RequestManyOptions>, count: number][] = [
      [{ strategy: 'count', maxMessages: 3, maxWait: 10_000 }, 3],
      [{ strategy: 'sentinel', maxWait: 10_000 }, 4],
      [{ strategy: 'stall', stall: 1_000, maxWait: 10_000 }, 4],
      [{ strategy: 'timer', maxWait: 2_000 }, 4],
      [{ strategy: 'sentinel', maxWait: 10_000, noMux: true }, 4],
    ]
    for (const [options, count] of strategies) {
      const mux = options.noMux === true ? ', own inbox' : ''
      it(`requestMany by ${options.strategy}${mux}: one trace, ended when the replies end`, async () => {
        const subject = world.subject()
        const answering = world.traced.subscribe(subject, {
          callback: (_, message) => {
            for (const text of ['a', 'b', 'c', '']) message.respond(text)
          },
        })
        await world.traced.flush()
        const texts: string[] = []
        for await (const reply of await world.traced.requestMany(subject, 'q', { ...options })) {
          texts.push(reply.string())
          assert.ok(!world.spans.names().includes(`request ${subject}`), 'ended before its replies')
        }
        assert.deepEqual(texts, ['a', 'b', 'c', ''].slice(0, count))
        const request = world.spans.named(`request ${subject}`)
        await world.spans.wait(6)
        const responds = world.spans.ended.filter((span) => span.name === 'publish _INBOX.*')
        const process = world.spans.named(`process ${subject}`)
        assert.deepEqual([process.parentId, responds.length], [request.spanId, 4])
        for (const span of [process, ...responds]) assert.equal(span.traceId, request.traceId)
        assert.equal(world.spans.started, 6)
        answering.unsubscribe()
      })
    }

    it('requestMany: thrown out of, left, and never read, its span ends', async () => {
      const subject = world.subject()
      world.untraced.subscribe(subject, {
        callback: (_, message) => void message.respond('x'),
      })
      await world.untraced.flush()
      const options = { strategy: 'timer', maxWait: 60_000 } as const
      await assert.rejects(async () => {
        for await (const _ of await world.traced.requestMany(subject, '', options)) throw new Error('mine')
      }, /^Error: mine$/)
      assert.equal(world.spans.named(`request ${subject}`).error, undefined)
      world.spans.reset()
      await world.traced.requestMany(subject, '', { strategy: 'timer', maxWait: 5 })
      await world.spans.wait(1)
      assert.deepEqual(world.spans.names(), [`request ${subject}`])
    })

    it('a reply that comes after the timeout makes no span and harms nothing', async () => {
      const subject = world.subject()
      const asked = deferred()
      const request: { message?: Msg } = {}
      world.traced.subscribe(subject, {
        callback: (_, message) => {
          request.message = message
          asked.resolve()
        },
      })
      await world.traced.flush()
      const late = world.traced.request(subject, '', { timeout: 50 })
      await assert.rejects(late, { name: 'TimeoutError' })
      await asked.promise
      await world.spans.wait(2)
      const handled = world.spans.named(`process ${subject}`)
      request.message?.respond('too late')
      await world.traced.flush()
      const respond = world.spans.named('publish _INBOX.*')
      assert.deepEqual([respond.parentId, respond.traceId], [handled.spanId, handled.traceId])
      assert.deepEqual([world.spans.started, world.spans.ended.length], [3, 3])
      assert.equal(world.spans.named(`request ${subject}`).attributes['error.type'], 'TimeoutError')
    })

    it('names stay few: wildcards of the subscription, ids in subjects, inboxes', async () => {
      const prefix = world.subject()
      const ids = [
        '4711',
        '5f0c2a1e-9b1d-4c3e-8a77-0123456789ab',
        'deadbeef00112233',
        'ZAKFIE4EF3L1F0Y7ZQ5Z1G',
        '01ARZ3NDEKTSV4RRFFQ69G5FAV',
      ]
      const received = new Promise<void>((resolve) => {
        let left = ids.length
        world.traced.subscribe(`${prefix}.*.paid`, {
          callback: () => {
            left--
            if (left === 0) resolve()
          },
        })
      })
      for (const id of ids) world.traced.publish(`${prefix}.${id}.paid`)
      await received
      await world.spans.wait(2 * ids.length)
      assert.deepEqual([...new Set(world.spans.names())].toSorted(), [
        `process ${prefix}.*.paid`,
        `publish ${prefix}.{id}.paid`,
      ])
      world.spans.reset()
      for (const subject of ['v1.orders.created', 'node-17.up', 'a1b2c3', 'sha256.x']) {
        world.traced.publish(subject)
        assert.deepEqual(world.spans.names(), [`publish ${subject}`])
        assert.equal(world.spans.ended[0]?.attributes['messaging.destination.template'], undefined)
        world.spans.reset()
      }
      world.traced.publish(`${'long.'.repeat(200)}end`)
      assert.equal(world.spans.names()[0]?.length, 'publish '.length + 256)
    })

    it('a forged context on a public subject: a new trace, linked to it, without its baggage', async () => {
      const [open, own] = [world.subject(), world.subject()]
      const guarded = await world.connect({
        trust: (subject) => (subject === open ? 'restart-with-link' : 'continue'),
      })
      const seen: (string | undefined)[] = []
      const subscription = guarded.subscribe(open)
      const loop = (async () => {
        for await (const message of subscription) {
          seen.push(propagation.getBaggage(context.active())?.getEntry('who')?.value)
          message.respond('x')
          break
        }
      })()
      const handled = deferred()
      guarded.subscribe(own, { callback: () => handled.resolve() })
      await guarded.flush()
      const stranger = headers()
      stranger.set('traceparent', forged)
      stranger.set('baggage', 'who=me')
      const reply = await world.untraced.request(open, '', { headers: stranger, timeout: 10_000 })
      world.untraced.publish(own, '', { headers: stranger })
      await Promise.all([loop, handled.promise])
      await world.spans.wait(3)
      const process = world.spans.named(`process ${open}`)
      assert.deepEqual([process.parentId, process.linkIds], [undefined, ['b7ad6b7169203331']])
      assert.notEqual(process.traceId, '0af7651916cd43dd8448eb211c80319c')
      assert.deepEqual(seen, [undefined])
      assert.equal(world.spans.named('publish _INBOX.*').traceId, process.traceId)
      assert.match(reply.headers?.get('traceparent') ?? '', new RegExp(process.traceId))
      assert.equal(reply.headers?.get('baggage'), '')
      assert.equal(world.spans.named(`process ${own}`).parentId, 'b7ad6b7169203331')
      await guarded.close()
    })

    it('10,000 messages that have come and are not asked for make no spans', async () => {
      const subject = world.subject()
      const subscription = world.traced.subscribe(subject)
      await world.traced.flush()
      for (let index = 0; index < 10_000; index++) world.untraced.publish(subject)
      await world.untraced.flush()
      await world.traced.flush()
      assert.equal(subscription.getReceived(), 10_000)
      for await (const _ of subscription) break
      assert.deepEqual([world.spans.started, world.spans.ended.length], [1, 1])
    })

    it('the callback form has no window: nobody else is ever inside of the first message', async () => {
      const subject = world.subject()
      const [arrived, finish] = [deferred(), deferred()]
      const handle = async (): Promise<never> => {
        arrived.resolve()
        await finish.promise
        return undefined as never
      }
      world.traced.subscribe(subject, { callback: handle })
      await world.traced.flush()
      world.untraced.publish(subject)
      await arrived.promise
      assert.equal(activeSpanId(), undefined)
      finish.resolve()
      await world.spans.wait(1)
    })

    const endings: [name: string, end: (connection: typeof world.traced) => Promise<unknown>][] = [
      ['close', (connection) => connection.close()],
      ['drain', (connection) => connection.drain()],
    ]
    for (const [name, end] of endings) {
      it(`${name} with open loops, a request and replies in flight ends every span`, async () => {
        const connection = await world.connect()
        const [subject, silent] = [world.subject(), world.subject()]
        world.untraced.subscribe(silent, { callback: () => {} })
        await world.untraced.flush()
        const [inBody, leave] = [deferred(), deferred()]
        const subscriptions: Subscription[] = [
          connection.subscribe(subject),
          connection.subscribe(`${subject}.>`),
        ]
        const bodies = subscriptions.map(async (subscription) => {
          for await (const _ of subscription) {
            inBody.resolve()
            await leave.promise
          }
        })
        await connection.flush()
        world.untraced.publish(subject)
        const request = connection.request(silent, '', { timeout: 300 }).catch(() => {})
        const many = collect(await connection.requestMany(silent, '', { maxWait: 300 })).catch(() => {})
        await inBody.promise
        const ended = end(connection)
        leave.resolve()
        await Promise.all([ended.catch(() => {}), request, many, ...bodies])
        assert.equal(world.spans.started, 3)
        assert.deepEqual(world.spans.names().toSorted(), [
          `process ${subject}`,
          `request ${silent}`,
          `request ${silent}`,
        ])
      })
    }

    it('a reconnect in the middle of a body neither ends its span nor opens another', async () => {
      const connection = await world.connect({}, { reconnect: true, reconnectTimeWait: 5 })
      const subject = world.subject()
      const spans: SpanView[][] = []
      const inside: (string | undefined)[] = []
      const loop = (async () => {
        for await (const _ of connection.subscribe(subject)) {
          inside.push(activeSpanId())
          const reconnected = (async () => {
            for await (const status of connection.status()) if (status.type === 'reconnect') return
          })()
          await connection.reconnect()
          await reconnected
          spans.push([...world.spans.ended])
          inside.push(activeSpanId())
          break
        }
      })()
      await connection.flush()
      world.untraced.publish(subject)
      await loop
      assert.equal(inside[0], inside[1])
      assert.deepEqual([spans, world.spans.started, world.spans.ended.length], [[[]], 1, 1])
      await connection.close()
    })
  })
}

/** What the client throws, or rejects with. */
async function errorOf(call: () => unknown): Promise<unknown> {
  try {
    await call()
  } catch (error) {
    return error
  }
  throw new Error('it did not fail')
}
