import assert from 'node:assert/strict'
import { after, it } from 'node:test'
import { setImmediate as nextTurn } from 'node:timers/promises'
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
  const soak = await Soak.start({ server, pause: () => nextTurn() })
  const until = async (counts: Partial<Record<SoakCount, number>>): Promise<void> => {
    const missing = (): boolean =>
      Object.entries(counts).some(([name, count]) => soak.counts[name as SoakCount] < count)
    while (missing()) await nextTurn()
  }
  const work = { published: 200, processed: 100, redelivered: 5, confirmed: 5, fetched: 10, nexts: 10 }
  await until({ ...work, requests: 10, requestFailed: 1, slow: 50, kvOperations: 20, kvSeen: 5, objects: 2 })
  await soak.crash()
  assert.equal(soak.counts.reconnects, 1)
  const later = Object.fromEntries(
    Object.entries(work).map(([name]) => [name, soak.counts[name as SoakCount] + 5]),
  )
  await until({ ...later, objects: soak.counts.objects + 1 })
  await soak.stop()
  assert.equal(spans.started, spans.ended.length)
  await server.stop()
})
