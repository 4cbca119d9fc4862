import assert from 'node:assert/strict'
import { after, it } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'
import { startNatsServer } from '@throughline/nats-server'
import { compositePropagator, TracerProvider, w3cTraceContextPropagator } from '@throughline/trace'
import { Spans } from './testing/harness.ts'
import { Soak, type SoakCount } from './testing/soak.ts'

const spans = new Spans()
const provider = new TracerProvider({ spanProcessors: [spans] })
provider.register({ propagator: compositePropagator([w3cTraceContextPropagator()]) })
after(() => provider.unregister())

// What soak-run does for ten minutes: here until everything has happened, with one crash in the middle.
it('mixed work over a server crash leaves no span open', { timeout: 110_000 }, async () => {
  const server = await startNatsServer({ jetstream: true, env: { PATH: process.env['PATH'] } })
  let counted: (() => void) | undefined
  const soak = await Soak.start({ server, pause: () => delay(1), onCount: () => counted?.() })
  /** Resolves when as much of everything has been counted. */
  const until = (counts: Partial<Record<SoakCount, number>>): Promise<void> =>
    new Promise((resolve) => {
      counted = () => {
        const missing = Object.entries(counts).some(([name, count]) => soak.counts[name as SoakCount] < count)
        if (!missing) resolve()
      }
      counted()
    })
  const work = {
    published: 60,
    processed: 30,
    redelivered: 2,
    confirmed: 2,
    fetched: 3,
    nexts: 3,
    objects: 1,
  }
  await until({ ...work, requests: 5, requestFailed: 1, slow: 20, kvOperations: 5, kvSeen: 2 })
  await soak.crash()
  await until({ reconnects: 1 })
  const later = Object.keys(work).map((name) => [name, soak.counts[name as SoakCount] + 2])
  await until(Object.fromEntries(later))
  await soak.stop()
  assert.equal(spans.started, spans.ended.length)
  await server.stop()
})
