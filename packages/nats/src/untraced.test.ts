import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { jetstream } from '@nats-io/jetstream'
import { Kvm } from '@nats-io/kv'
import { headers, type Msg } from '@nats-io/nats-core'
import { connect, type NatsConnection } from '@nats-io/transport-node'
import { context, propagation, ROOT_CONTEXT } from '@opentelemetry/api'
import { type NatsServer, startNatsServer } from '@throughline/nats-server'
import { AsyncContextManager, w3cTraceContextPropagator } from '@throughline/trace'
import { extractFromHeaders, processMessage, traceNats } from './index.ts'

const traceparent = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01'

// No tracer is registered in this process: first nothing at all, then context manager and propagator, as a service does
// whose tracing is switched off.
describe('without a tracer', () => {
  let server: NatsServer
  let raw: NatsConnection
  let traced: NatsConnection
  before(async () => {
    server = await startNatsServer({ jetstream: true, env: { PATH: process.env['PATH'] } })
    raw = await connect({ servers: server.url })
    traced = traceNats(await connect({ servers: server.url }))
  })
  after(async () => {
    await traced.close()
    await raw.close()
    await server.stop()
  })

  async function receivedOf(publish: (subject: string) => void): Promise<Msg> {
    const subscription = raw.subscribe('untraced.out', { max: 1 })
    await raw.flush()
    publish('untraced.out')
    for await (const message of subscription) return message
    throw new Error('nothing came')
  }

  it('sends what the untraced client sends', async () => {
    assert.equal((await receivedOf((subject) => traced.publish(subject, 'x'))).headers, undefined)
    const own = headers()
    own.set('Traceparent', traceparent)
    const message = await receivedOf((subject) => traced.publish(subject, 'x', { headers: own }))
    assert.deepEqual(message.headers?.keys(), ['Traceparent'])
  })

  it('passes an incoming context on unchanged, and adds none', async () => {
    context.setGlobalContextManager(new AsyncContextManager().enable())
    propagation.setGlobalPropagator(w3cTraceContextPropagator())
    assert.equal((await receivedOf((subject) => traced.publish(subject))).headers, undefined)

    const incoming = headers()
    incoming.set('Traceparent', traceparent)
    const forwarded: (string | undefined)[] = []
    for (const form of ['loop', 'callback', 'processMessage'] as const) {
      const subject = `untraced.${form}`
      const forward = (): void => traced.publish('untraced.out', form)
      const message = await receivedOf(() => {
        if (form === 'loop') {
          void (async () => {
            for await (const _ of traced.subscribe(subject, { max: 1 })) {
              await Promise.resolve()
              forward()
            }
          })()
        } else {
          const callback = (_: unknown, message: Msg): void =>
            form === 'callback' ? forward() : processMessage(message, {}, forward)
          traced.subscribe(subject, { callback })
        }
        void traced.flush().then(() => raw.publish(subject, '', { headers: incoming }))
      })
      forwarded.push(message.headers?.get('traceparent'))
    }
    assert.deepEqual(forwarded, [traceparent, traceparent, traceparent])
  })

  it('JetStream and KV work, and carry the context of their caller', async () => {
    const js = jetstream(traced)
    const manager = await js.jetstreamManager()
    await manager.streams.add({ name: 'U', subjects: ['u.>'] })
    await manager.consumers.add('U', { durable_name: 'd' })
    const kv = await new Kvm(js).create('plain')
    const carried = headers()
    carried.set('traceparent', traceparent)
    await context.with(extractFromHeaders(carried, ROOT_CONTEXT), async () => {
      await js.publish('u.a', 'x')
      await kv.put('k', 'v')
    })
    const message = await (await js.consumers.get('U', 'd')).next()
    assert.equal(message?.headers?.get('traceparent'), traceparent)
    assert.equal((await kv.get('k'))?.string(), 'v')
    const stored = await manager.streams.getMessage('KV_plain', { last_by_subj: '$KV.plain.k' })
    assert.equal(stored?.header.get('traceparent'), traceparent)
  })
})
