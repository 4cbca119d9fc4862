import assert from 'node:assert/strict'
import { describe, it, type TestContext } from 'node:test'
import { ChunkExporter } from './chunk-exporter.ts'
import type { Ledger } from './ledger.ts'
import { type OtlpExporterOptions, resolveOptions } from './options.ts'
import { spanSignal } from './signal.ts'
import { accept, startHttpPeer, unusedPort } from './testing/http-peer.ts'
import { testSpan } from './testing/span.ts'
import { spanNames, spoolFolder } from './testing/spool-folder.ts'

type Changes = Partial<OtlpExporterOptions> & { endpoint: string }

/** An exporter with a spool whose ledger is checked at every change. */
function start(t: TestContext, changes: Changes, worker: object = {}) {
  const said: string[] = []
  const watchers = new Set<(ledger: Ledger) => void>()
  const settings = resolveOptions({
    protocol: 'http/protobuf',
    resource: { 'service.name': 'test' },
    clock: { originUnixNano: 0n },
    retry: { initialDelayMs: 5, delayMsMax: 10 },
    diagnostics: (message) => said.push(message),
    ...changes,
  })
  let spanIndex = 0
  const exporter = new ChunkExporter(
    spanSignal,
    { ...settings, worker: { ...settings.worker, ...worker } },
    (ledger) => {
      const { ended, delivered, pending, spooled } = ledger
      const droppedCount = Object.values(ledger.dropped).reduce((sum, count) => sum + count, 0)
      assert.equal(ended, delivered + pending + spooled + droppedCount, JSON.stringify(ledger))
      assert.ok(pending >= 0 && spooled >= 0, JSON.stringify(ledger))
      for (const watch of watchers) watch(ledger)
    },
  )
  t.after(() => exporter.shutdown({ timeoutMs: 0 }))
  return {
    exporter,
    said,
    endSpans: (count: number, changes: object = {}) => {
      for (let index = 0; index < count; index++) exporter.onEnd(testSpan(spanIndex++, changes))
    },
    until: (holds: (ledger: Ledger) => boolean) =>
      new Promise<void>((resolve) => {
        // Nothing of an exporter keeps a process alive.
        const alive = setInterval(() => {}, 1000)
        const watch = (ledger: Ledger): void => {
          if (!holds(ledger)) return
          clearInterval(alive)
          watchers.delete(watch)
          resolve()
        }
        watchers.add(watch)
        watch(exporter.ledger())
      }),
  }
}

const namesOf = (requests: readonly { readonly body: Buffer }[]): string[] =>
  requests.flatMap(({ body }) => spanNames(body))
const names = (count: number): string[] => Array.from({ length: count }, (_, index) => `span ${index}`)

describe('OTLP exporter with a spool', () => {
  for (const mode of ['on-failure', 'always'] as const)
    it(`${mode}: an outage goes to disk, and all of it to the collector that comes back`, async (t) => {
      const { dir } = spoolFolder(t)
      const port = await unusedPort()
      const { exporter, endSpans, until, said } = start(t, {
        endpoint: `http://127.0.0.1:${port}`,
        spool: { dir, mode },
      })
      for (let round = 1; round <= 5; round++) {
        endSpans(100)
        await until(({ spooled, pending }) => spooled === 100 * round && pending === 0)
      }
      const peer = await startHttpPeer(accept, { port })
      t.after(peer.stop)
      assert.deepEqual(await exporter.forceFlush(), { undeliveredItemCount: 0 })
      assert.deepEqual(exporter.ledger(), { ended: 500, delivered: 500, pending: 0, spooled: 0, dropped: {} })
      assert.deepEqual(namesOf(peer.requests).toSorted(), names(500).toSorted(), 'each once')
      assert.equal(said.length, 2)
      assert.match(
        said[0] ?? '',
        /ECONNREFUSED.*; \d+ spans wait,? (\d+ )?in the spool .*traces, trying again$/,
      )
    })

  it('writes nothing where the collector answers in time', async (t) => {
    const { dir } = spoolFolder(t)
    const peer = await startHttpPeer(accept)
    t.after(peer.stop)
    const { exporter, endSpans } = start(t, {
      endpoint: peer.url,
      spool: { dir: `${dir}/${'x'.repeat(300)}` }, // No system makes such a folder.
    })
    endSpans(100)
    assert.deepEqual(await exporter.forceFlush(), { undeliveredItemCount: 0 })
    assert.deepEqual(exporter.ledger(), { ended: 100, delivered: 100, pending: 0, spooled: 0, dropped: {} })
  })

  it('a shutdown with a dead collector keeps everything, and does not wait for it', async (t) => {
    const folder = spoolFolder(t)
    const { exporter, endSpans, said } = start(t, {
      endpoint: `http://127.0.0.1:${await unusedPort()}`,
      spool: { dir: folder.dir },
    })
    endSpans(7)
    assert.deepEqual(await exporter.shutdown({ timeoutMs: 1_000_000 }), { undeliveredItemCount: 7 })
    assert.deepEqual(exporter.ledger(), { ended: 7, delivered: 0, pending: 0, spooled: 7, dropped: {} })
    assert.deepEqual(folder.spanNames(), names(7))
    assert.match(
      said.at(-1) ?? '',
      /^throughline: 7 spans not delivered at the end; the spool .* keeps them$/,
    )
  })

  it('the next one adopts, delivers, and accounts for it apart', async (t) => {
    const { dir } = spoolFolder(t)
    const port = await unusedPort()
    const endpoint = `http://127.0.0.1:${port}`
    const first = start(t, { endpoint, spool: { dir } })
    first.endSpans(20)
    await first.exporter.shutdown()
    const peer = await startHttpPeer(accept, { port })
    t.after(peer.stop)
    const { exporter, endSpans, said } = start(t, { endpoint, spool: { dir } })
    exporter.start()
    await peer.received(1)
    endSpans(1)
    await exporter.forceFlush()
    assert.deepEqual(exporter.adopted(), { adopted: 20, delivered: 20, waiting: 0, dropped: {} })
    assert.deepEqual(exporter.ledger(), { ended: 1, delivered: 1, pending: 0, spooled: 0, dropped: {} })
    assert.match(
      said.join('\n'),
      new RegExp(
        `adopted 20 spans from the spool: process ${process.pid} of .* \\("test"\\) ended \\(shutdown\\)`,
      ),
    )
  })

  it('loses nothing by crashes of its thread, whatever was where', async (t) => {
    const { dir } = spoolFolder(t)
    const port = await unusedPort()
    // A planted defect: without retry limits the worker throws at its first failure.
    const options = { endpoint: `http://127.0.0.1:${port}`, spool: { dir, mode: 'always' as const } }
    const { exporter, endSpans, until, said } = start(t, options, { retry: undefined })
    endSpans(10)
    await until(({ spooled }) => spooled === 10)
    endSpans(5)
    // Five crashes, then the thread is not started any more, and this thread writes.
    await until(({ spooled }) => spooled === 15)
    assert.match(said.join('\n'), /the export thread crashed/)
    await exporter.shutdown()
    assert.deepEqual(exporter.ledger(), { ended: 15, delivered: 0, pending: 0, spooled: 15, dropped: {} })
    const peer = await startHttpPeer(accept, { port })
    t.after(peer.stop)
    const next = start(t, options)
    next.exporter.start()
    await peer.received(1)
    await next.exporter.shutdown()
    assert.deepEqual([...new Set(namesOf(peer.requests))].toSorted(), names(15).toSorted())
  })

  it('50,000 spans in one tick: none is lost, with and without a collector', async (t) => {
    const folder = spoolFolder(t)
    const peer = await startHttpPeer(accept)
    t.after(peer.stop)
    const there = start(t, { endpoint: peer.url, spool: { dir: folder.dir } })
    there.endSpans(50_000)
    assert.deepEqual(await there.exporter.shutdown({ timeoutMs: 1_000_000 }), { undeliveredItemCount: 0 })
    assert.equal(new Set(namesOf(peer.requests)).size, 50_000)
    const away = start(t, { endpoint: `http://127.0.0.1:${await unusedPort()}`, spool: { dir: folder.dir } })
    away.endSpans(50_000)
    await away.exporter.shutdown({ timeoutMs: 1_000_000 })
    assert.equal(away.exporter.ledger().spooled, 50_000)
    assert.equal(new Set(folder.spanNames()).size, 50_000)
  })

  it('more than memory may hold in one tick goes through memory to disk', async (t) => {
    const folder = spoolFolder(t)
    const { exporter, endSpans } = start(t, {
      endpoint: `http://127.0.0.1:${await unusedPort()}`,
      queueBytesMax: 4 * 1024 * 1024,
      spool: { dir: folder.dir, mode: 'always' },
    })
    exporter.start()
    endSpans(1)
    await exporter.forceFlush({ retry: false })
    // This thread is blocked all the while: it hears of room, and of what is on disk, only by looking itself.
    const large = { flatAttributes: ['payload', 'x'.repeat(10_000)] }
    for (let index = 0; index < 5_000_000 && exporter.ledger().spooled < 1000; index++) endSpans(1, large)
    const { pending, spooled } = exporter.ledger()
    assert.ok(spooled >= 1000, `${spooled} heard without the event loop`)
    assert.ok(pending <= (4 * 1024 * 1024 * 17) / 16 / 10_000 + 30, `${pending} spans of 10 kB in 4 MiB`)
    await exporter.shutdown()
    const { ended, spooled: kept, dropped } = exporter.ledger()
    assert.equal(kept + (dropped['queue_full'] ?? 0), ended)
  })

  it('a spool that cannot be written is told, and memory does what it did', async (t) => {
    const peer = await startHttpPeer(accept)
    t.after(peer.stop)
    const { exporter, endSpans, said } = start(t, {
      endpoint: peer.url,
      spool: { dir: '/dev/null/x', mode: 'always' },
    })
    endSpans(3)
    assert.deepEqual(await exporter.forceFlush(), { undeliveredItemCount: 0 })
    assert.deepEqual(exporter.ledger(), { ended: 3, delivered: 3, pending: 0, spooled: 0, dropped: {} })
    assert.match(
      said[0] ?? '',
      /cannot write to the spool \/dev\/null\/x\/traces: ENOTDIR.*; 3 spans wait in memory$/,
    )
  })
})

describe('OTLP exporter that drops the oldest', () => {
  it('keeps the newest when memory is full', async (t) => {
    let hangs = true
    const peer = await startHttpPeer((response, request, index) => {
      if (!hangs) accept(response, request, index)
    })
    t.after(peer.stop)
    const { exporter, endSpans, until } = start(t, {
      endpoint: peer.url,
      queueBytesMax: 1024 * 1024,
      queueFull: 'drop-oldest',
      timeoutMs: 200,
      concurrentRequestsMax: 1,
    })
    endSpans(110, { flatAttributes: ['payload', 'x'.repeat(10_000)] })
    await until(({ dropped }) => (dropped['queue_full'] ?? 0) > 5)
    endSpans(1)
    hangs = false
    await until(({ pending }) => pending === 0)
    assert.ok(namesOf(peer.requests).includes('span 110'), 'the newest')
    assert.equal(exporter.ledger().dropped['retry_exhausted'], undefined)
  })
})
