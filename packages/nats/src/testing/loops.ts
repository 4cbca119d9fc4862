import assert from 'node:assert/strict'
import { beforeEach, describe, it } from 'node:test'
import type { Subscription } from '@nats-io/nats-core'
import { processMessage } from '../index.ts'
import { activeSpanId, collect, deferred, type Harness, World } from './harness.ts'

/** The bodies of `for await (const message of subscription)`. */
export function loopContract(harness: Harness): void {
  describe(`for await under ${harness.name}`, () => {
    const world = new World(harness)
    beforeEach(() => world.spans.reset())

    async function subscribed(count: number): Promise<{ subject: string; subscription: Subscription }> {
      const subject = world.subject()
      const subscription = world.traced.subscribe(subject)
      await world.traced.flush()
      for (let index = 0; index < count; index++) world.untraced.publish(subject, String(index))
      return { subject, subscription }
    }

    /** The span that a body made while it ran must be the child of its own message's span. */
    function assertInside(names: readonly string[]): void {
      for (const name of names) {
        const inner = world.spans.named(name)
        const process = world.spans.ended.find((span) => span.spanId === inner.parentId)
        assert.equal(process?.kind, 'CONSUMER', `${name} is not inside of a message's span`)
      }
      const parents = names.map((name) => world.spans.named(name).parentId)
      assert.equal(new Set(parents).size, names.length)
    }

    function inner(name: string): void {
      world.tracer.startSpan(name).end()
    }

    it('runs each body inside its own message, before and after awaits, and ends it at the next', async () => {
      const { subscription } = await subscribed(3)
      let bodies = 0
      for await (const message of subscription) {
        assert.equal(world.spans.ended.filter((span) => span.kind === 'CONSUMER').length, bodies)
        inner(`before ${message.string()}`)
        const id = activeSpanId()
        await world.untraced.flush()
        await Promise.resolve()
        assert.equal(activeSpanId(), id)
        inner(`after ${message.string()}`)
        bodies++
        if (bodies === 3) subscription.unsubscribe()
      }
      assert.equal(activeSpanId(), undefined)
      assertInside(['before 0', 'before 1', 'before 2'])
      assertInside(['after 0', 'after 1', 'after 2'])
      assert.equal(world.spans.started, world.spans.ended.length)
    })

    it('ends the span and leaves the context with break, throw and return', async () => {
      const leave: Record<string, (subscription: Subscription) => Promise<unknown>> = {
        break: async (subscription) => {
          for await (const _ of subscription) break
          return activeSpanId()
        },
        throw: async (subscription) => {
          try {
            for await (const _ of subscription) throw new Error('left')
          } catch (error) {
            assert.equal((error as Error).message, 'left')
          }
          return activeSpanId()
        },
        return: async (subscription) => {
          const body = async (): Promise<string | undefined> => {
            for await (const _ of subscription) return activeSpanId()
            return undefined
          }
          assert.notEqual(await body(), undefined)
          return activeSpanId()
        },
      }
      for (const [name, run] of Object.entries(leave)) {
        world.spans.reset()
        const { subject, subscription } = await subscribed(2)
        const after = await world.inRoot(async () => {
          const before = activeSpanId()
          return [before, await run(subscription)]
        })
        assert.equal(after[1], after[0], `${name} did not give the context back`)
        assert.deepEqual(world.spans.names(), [`process ${subject}`, 'root'])
        assert.equal(subscription.isClosed(), true)
      }
    })

    it('nested loops: the outer body is back in its own message after the inner loop', async () => {
      const outer = await subscribed(3)
      let outerBodies = 0
      for await (const message of outer.subscription) {
        const outerId = activeSpanId()
        const nested = await subscribed(3)
        let innerBodies = 0
        for await (const _ of nested.subscription) {
          assert.notEqual(activeSpanId(), outerId)
          innerBodies++
          if (outerBodies === 1 && innerBodies === 2) break
          if (innerBodies === 3) nested.subscription.unsubscribe()
        }
        assert.equal(activeSpanId(), outerId, `after the inner loop of ${message.string()}`)
        await Promise.resolve()
        assert.equal(activeSpanId(), outerId)
        outerBodies++
        if (outerBodies === 3) break
      }
      assert.equal(activeSpanId(), undefined)
      assert.equal(world.spans.ended.length, 3 + 3 + 2 + 3)
      assert.equal(world.spans.started, world.spans.ended.length)
    })

    it('two loops at once, and the context around a loop, do not mix', async () => {
      const [left, right] = [await subscribed(20), await subscribed(20)]
      const drain = async ({ subject, subscription }: typeof left): Promise<void> => {
        let bodies = 0
        for await (const message of subscription) {
          const name = `${subject} ${message.string()}`
          await world.untraced.flush()
          inner(name)
          bodies++
          if (bodies === 20) break
        }
      }
      await world.inRoot(() => Promise.all([drain(left), drain(right)]))
      for (const { subject } of [left, right]) {
        assertInside(Array.from({ length: 20 }, (_, index) => `${subject} ${index}`))
        for (const span of world.spans.ended.filter(({ name }) => name === `process ${subject}`)) {
          // Sent by an untraced client: each is a trace of its own, whatever span is around the loop.
          assert.deepEqual([span.parentId, span.linkIds], [undefined, []])
        }
      }
    })

    it('the caller that does not await a loop is in the first message only while that is processed', async () => {
      const { subscription } = await subscribed(2)
      const [first, second] = [
        { arrived: deferred(), done: deferred() },
        { arrived: deferred(), done: deferred() },
      ]
      let bodies = 0
      const loop = (async () => {
        for await (const _ of subscription) {
          const body = bodies === 0 ? first : second
          bodies++
          body.arrived.resolve()
          await body.done.promise
          if (bodies === 2) break
        }
      })()
      // The window that a loop cannot do without: its first next() ran in this very frame.
      await first.arrived.promise
      assert.notEqual(activeSpanId(), undefined)
      first.done.resolve()
      await second.arrived.promise
      assert.equal(activeSpanId(), undefined)
      second.done.resolve()
      await loop
      assert.equal(activeSpanId(), undefined)
    })

    it('work that a body starts and does not await stays with its message from the second on', async () => {
      const { subscription } = await subscribed(3)
      const work: Promise<void>[] = []
      const gate = deferred()
      const unawaited = async (name: string): Promise<void> => {
        await gate.promise
        inner(name)
      }
      for await (const message of subscription) {
        const name = `work ${message.string()}`
        // processMessage keeps it there from the first on, and ends the span with the work.
        work.push(
          message.string() === '0' ? processMessage(message, {}, () => unawaited(name)) : unawaited(name),
        )
        if (work.length === 3) break
      }
      assert.deepEqual([world.spans.started, world.spans.ended.length], [3, 2], 'message 0 is still at work')
      gate.resolve()
      await Promise.all(work)
      await world.spans.wait(6)
      assertInside(['work 0', 'work 1', 'work 2'])
    })

    it('messages that nobody asks for make no spans, and results are those of the client', async () => {
      const { subject, subscription } = await subscribed(100)
      await world.untraced.flush()
      await world.traced.flush()
      const iterator = subscription[Symbol.asyncIterator]()
      const first = await iterator.next()
      assert.equal(first.done === true ? undefined : first.value.string(), '0')
      assert.equal(subscription.getReceived(), 100)
      await iterator.return?.()
      assert.deepEqual(world.spans.names(), [`process ${subject}`])
      assert.deepEqual(await iterator.next(), { done: true, value: undefined })

      const other = await subscribed(5)
      other.subscription.unsubscribe(5)
      const texts = (await collect(other.subscription)).map((message) => message.string())
      assert.deepEqual(texts, ['0', '1', '2', '3', '4'])
      assert.equal(world.spans.started, world.spans.ended.length)
    })

    it('two next() at once hand over both messages and end both spans', async () => {
      const { subscription } = await subscribed(2)
      const iterator = subscription[Symbol.asyncIterator]()
      const steps = await Promise.all([iterator.next(), iterator.next()])
      assert.deepEqual(
        steps.map((step) => (step.done === true ? undefined : step.value.string())),
        ['0', '1'],
      )
      await iterator.return?.()
      assert.equal(world.spans.ended.length, 2)
    })

    it('the error that ends a subscription reaches the loop', async () => {
      const subscription = world.traced.subscribe(world.subject(), { timeout: 1 })
      await assert.rejects(
        async () => {
          for await (const _ of subscription) assert.fail()
        },
        { name: 'TimeoutError' },
      )
      assert.equal(world.spans.started, 0)
    })
  })
}
