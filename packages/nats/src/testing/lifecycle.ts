import assert from 'node:assert/strict'
import { beforeEach, describe, it } from 'node:test'
import { headers } from '@nats-io/nats-core'
import { connect } from '@nats-io/transport-node'
import { traceNats } from '../index.ts'
import { activeSpanId, deferred, type Harness, World } from './harness.ts'

/** Restarts, drains and sampling: every span that starts ends, whatever happens to the connection. */
export function lifecycleContract(harness: Harness): void {
  describe(`lifecycle under ${harness.name}`, () => {
    const world = new World(harness)
    beforeEach(() => world.spans.reset())

    it('drain hands over what has come, ends every span, and the loop', async () => {
      const connection = await world.connect()
      const subject = world.subject()
      const subscription = connection.subscribe(subject)
      for (const text of ['1', '2', '3']) connection.publish(subject, text)
      await connection.flush()
      const drained = connection.drain()
      const texts: string[] = []
      for await (const message of subscription) texts.push(message.string())
      await drained
      assert.deepEqual(texts, ['1', '2', '3'])
      assert.equal(world.spans.ended.length, 6)
      assert.equal(world.spans.started, 6)
    })

    it('an unsampled trace stays unsampled and keeps its id; nothing is recorded', async () => {
      const [incoming, outgoing] = [world.subject(), world.subject()]
      const unsampled = headers()
      unsampled.set('Traceparent', '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00')
      world.traced.subscribe(incoming, { callback: () => world.traced.publish(outgoing) })
      const forwarded = world.untraced.subscribe(outgoing, { max: 1 })
      await Promise.all([world.traced.flush(), world.untraced.flush()])
      world.untraced.publish(incoming, '', { headers: unsampled })
      for await (const message of forwarded) {
        const traceparent = message.headers?.get('traceparent') ?? ''
        assert.match(traceparent, /^00-0af7651916cd43dd8448eb211c80319c-[0-9a-f]{16}-00$/)
      }
      assert.deepEqual(world.spans.names(), [])
    })

    // Last: it closes the connections that the tests share.
    it('a restarted server fails the request in flight; the loop goes on after the reconnect', async () => {
      const options = { servers: world.server.url, reconnectTimeWait: 5, maxReconnectAttempts: -1 }
      const connection = traceNats(await connect(options))
      const subject = world.subject()
      const [seen, bodies] = [[deferred(), deferred()], [] as (string | undefined)[]]
      const loop = (async () => {
        for await (const message of connection.subscribe(subject)) {
          bodies.push(`${message.string()} ${activeSpanId() !== undefined}`)
          seen[bodies.length - 1]?.resolve()
        }
      })()
      const reconnected = (async () => {
        for await (const status of connection.status()) if (status.type === 'reconnect') return
      })()
      connection.publish(subject, 'before')
      await seen[0]?.promise
      connection.subscribe('silent', { callback: () => {} })
      const inFlight = connection.request('silent', '', { timeout: 300 })
      await connection.flush()
      await world.server.kill()
      await assert.rejects(inFlight, { name: 'TimeoutError' })
      await world.server.restart()
      await reconnected
      connection.publish(subject, 'after')
      await seen[1]?.promise
      await connection.drain()
      await loop
      assert.deepEqual(bodies, ['before true', 'after true'])
      assert.notEqual(world.spans.named('request silent').error, undefined)
      assert.equal(world.spans.started, world.spans.ended.length)
    })
  })
}
