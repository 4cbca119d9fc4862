import assert from 'node:assert/strict'
import { AsyncLocalStorage } from 'node:async_hooks'
import type { ServerResponse } from 'node:http'
import { describe, it, type TestContext } from 'node:test'
import { status } from '@grpc/grpc-js'
import { decodeTraces, encodeExportTraceResponse, type SpanRecord } from '@throughline/otlp'
import { ChunkExporter } from './chunk-exporter.ts'
import type { Ledger } from './ledger.ts'
import { type ExporterSettings, type OtlpExporterOptions, resolveOptions } from './options.ts'
import { spanSignal } from './signal.ts'
import { startGrpcPeer } from './testing/grpc-peer.ts'
import { accept, type HttpResponder, startHttpPeer, unusedPort } from './testing/http-peer.ts'
import { testSpan } from './testing/span.ts'

interface Rig {
  readonly exporter: ChunkExporter<SpanRecord>
  /** The diagnostics so far. */
  readonly said: string[]
  readonly endSpans: (count: number) => void
  /** Resolves at the first ledger change after which this holds. */
  readonly until: (holds: (ledger: Ledger) => boolean) => Promise<void>
}

/** An exporter whose ledger is checked at every change. */
function start(
  t: TestContext,
  options: Partial<OtlpExporterOptions> & { endpoint: string },
  worker: object = {},
): Rig {
  const said: string[] = []
  const watchers = new Set<(ledger: Ledger) => void>()
  const settings: ExporterSettings = resolveOptions({
    protocol: 'http/protobuf',
    resource: { 'service.name': 'test' },
    clock: { originUnixNano: 1_700_000_000_000_000_000n },
    retry: { initialDelayMs: 5, delayMsMax: 10 },
    diagnostics: (message) => said.push(message),
    ...options,
  })
  let spanIndex = 0
  const exporter = new ChunkExporter(
    spanSignal,
    { ...settings, worker: { ...settings.worker, ...worker } },
    (ledger) => {
      const droppedCount = Object.values(ledger.dropped).reduce((sum, count) => sum + count, 0)
      const { ended, delivered, pending, spooled } = ledger
      assert.equal(ended, delivered + pending + spooled + droppedCount, JSON.stringify(ledger))
      assert.ok(spooled >= 0, JSON.stringify(ledger))
      assert.ok(ledger.pending >= 0, JSON.stringify(ledger))
      for (const watch of watchers) watch(ledger)
    },
  )
  t.after(() => exporter.shutdown({ timeoutMs: 0 }))
  return {
    exporter,
    said,
    endSpans: (count) => {
      for (let index = 0; index < count; index++) exporter.onEnd(testSpan(spanIndex++))
    },
    until: (holds) =>
      new Promise((resolve) => {
        const watch = (ledger: Ledger): void => {
          if (!holds(ledger)) return
          watchers.delete(watch)
          resolve()
        }
        watchers.add(watch)
        watch(exporter.ledger())
      }),
  }
}

function spanNames(bodies: readonly Uint8Array[]): string[] {
  return bodies.flatMap((body) => {
    const decoded = decodeTraces(body)
    assert.ok(decoded.value !== undefined, 'the collector got something else than OTLP')
    return decoded.value.resourceSpans.flatMap(({ scopeSpans }) =>
      scopeSpans.flatMap(({ spans }) => spans.map(({ name }) => name)),
    )
  })
}

const protobuf = { 'content-type': 'application/x-protobuf' }
const firstThenAccept =
  (first: (response: ServerResponse) => void): HttpResponder =>
  (response, request, index) => {
    if (index === 0) first(response)
    else accept(response, request, index)
  }

describe('OTLP exporter over HTTP', () => {
  it('delivers spans with resource, times and attributes', async (t) => {
    const peer = await startHttpPeer(accept)
    t.after(peer.stop)
    const { exporter, endSpans } = start(t, { endpoint: peer.url })
    endSpans(2)
    assert.deepEqual(await exporter.forceFlush(), { undeliveredItemCount: 0 })
    assert.deepEqual(exporter.ledger(), { ended: 2, delivered: 2, pending: 0, spooled: 0, dropped: {} })
    assert.equal(peer.requests[0]?.path, '/v1/traces')
    const decoded = decodeTraces(peer.requests[0]?.body ?? Buffer.alloc(0))
    const [resourceSpans] = decoded.value?.resourceSpans ?? []
    assert.deepEqual(resourceSpans?.resource.attributes, [{ key: 'service.name', value: 'test' }])
    const [span] = resourceSpans?.scopeSpans[0]?.spans ?? []
    assert.equal(span?.traceId, '4bf92f3577b34da6a3ce929d00000000')
    assert.equal(span?.spanId, '00f067aa00000001')
    assert.equal(span?.startTimeUnixNano, 1_700_000_000_001_500_000n)
    assert.equal(span?.endTimeUnixNano, 1_700_000_000_002_750_000n)
    assert.deepEqual(span?.attributes, [{ key: 'index', value: 0 }])
  })

  it('hands over by itself when the delay is over', async (t) => {
    const peer = await startHttpPeer(accept)
    t.after(peer.stop)
    const { endSpans, until } = start(t, { endpoint: peer.url, scheduleDelayMs: 20 })
    endSpans(3)
    await until(({ delivered }) => delivered === 3)
    endSpans(1)
    await until(({ delivered }) => delivered === 4)
  })

  it('hands over when a chunk is full, and sends a span that is larger than a chunk', async (t) => {
    const peer = await startHttpPeer(accept)
    t.after(peer.stop)
    const { exporter, endSpans } = start(t, {
      endpoint: peer.url,
      scheduleDelayMs: 100_000,
      compression: 'gzip',
    })
    endSpans(5000)
    exporter.onEnd(testSpan(5000, { flatAttributes: ['large', 'x'.repeat(500_000)] }))
    exporter.onEnd(testSpan(5001, { flatAttributes: ['too large', 'x'.repeat(5_000_000)] }))
    assert.deepEqual(await exporter.forceFlush(), { undeliveredItemCount: 0 })
    assert.deepEqual(exporter.ledger(), {
      ended: 5002,
      delivered: 5001,
      pending: 0,
      spooled: 0,
      dropped: { span_too_large: 1 },
    })
  })

  it('drops and tells what the collector refuses', async (t) => {
    for (const code of [400, 401, 413]) {
      const peer = await startHttpPeer((response) => response.writeHead(code).end('because'))
      t.after(peer.stop)
      const { exporter, endSpans, said } = start(t, { endpoint: peer.url })
      endSpans(2)
      assert.deepEqual(await exporter.forceFlush(), { undeliveredItemCount: 2 })
      assert.deepEqual(exporter.ledger().dropped, { [`http_${code}`]: 2 })
      assert.deepEqual(said, [`throughline: dropped 2 spans (http_${code}): HTTP ${code}: because`])
      assert.equal(peer.requests.length, 1)
    }
  })

  it('counts what the collector rejects of a request', async (t) => {
    const body = encodeExportTraceResponse({
      partialSuccess: { rejectedSpans: 2, errorMessage: 'clock is wrong' },
    })
    const peer = await startHttpPeer((response) => response.writeHead(200, protobuf).end(body))
    t.after(peer.stop)
    const { exporter, endSpans, said } = start(t, { endpoint: peer.url })
    endSpans(5)
    assert.deepEqual(await exporter.forceFlush(), { undeliveredItemCount: 2 })
    assert.deepEqual(exporter.ledger(), {
      ended: 5,
      delivered: 3,
      pending: 0,
      spooled: 0,
      dropped: { rejected: 2 },
    })
    assert.deepEqual(said, ['throughline: dropped 2 spans (rejected): clock is wrong'])
  })

  const failures: [string, (response: ServerResponse) => void, RegExp][] = [
    ['429 with Retry-After', (response) => response.writeHead(429, { 'retry-after': '0' }).end(), /HTTP 429/],
    ['503', (response) => response.writeHead(503).end(), /HTTP 503/],
    [
      'half an answer',
      (response) => response.writeHead(200, { 'content-length': 9 }).write('abc', () => response.destroy()),
      /aborted|closed within/,
    ],
    ['garbage', (response) => response.socket?.end('garbage\r\n'), /Parse Error/],
    ['a reset', (response) => response.socket?.resetAndDestroy(), /ECONNRESET/],
    ['a hanging collector', () => {}, /no complete answer within 100 ms/],
  ]
  for (const [what, fail, cause] of failures)
    it(`delivers after ${what}, and says so once`, async (t) => {
      const peer = await startHttpPeer(firstThenAccept(fail))
      t.after(peer.stop)
      const timeoutMs = what === 'a hanging collector' ? 100 : 60_000
      const { exporter, endSpans, said } = start(t, { endpoint: peer.url, timeoutMs })
      endSpans(3)
      assert.deepEqual(await exporter.forceFlush(), { undeliveredItemCount: 0 })
      assert.deepEqual(exporter.ledger(), { ended: 3, delivered: 3, pending: 0, spooled: 0, dropped: {} })
      assert.equal(said.length, 2)
      assert.match(said[0] ?? '', cause)
      assert.match(said[0] ?? '', /3 spans wait, trying again$/)
      assert.match(said[1] ?? '', /works again after 0 s$/)
      assert.deepEqual(spanNames(peer.requests.slice(-1).map(({ body }) => body)), [
        'span 0',
        'span 1',
        'span 2',
      ])
    })

  it('takes a 200 of something else for delivered, but says what it looks like', async (t) => {
    const peer = await startHttpPeer((response) =>
      response.writeHead(200, { 'content-type': 'text/html' }).end('hi'),
    )
    t.after(peer.stop)
    const { exporter, endSpans, said } = start(t, { endpoint: peer.url })
    endSpans(1)
    await exporter.forceFlush()
    assert.equal(exporter.ledger().delivered, 1)
    assert.match(
      said[0] ?? '',
      /v1\/traces says: the answer is no OTLP response \(content-type text\/html\)$/,
    )
  })

  it('delivers everything after an outage', async (t) => {
    const port = await unusedPort()
    const { exporter, endSpans, until, said } = start(t, { endpoint: `http://127.0.0.1:${port}` })
    for (let round = 0; round < 5; round++) {
      endSpans(100)
      assert.deepEqual(await exporter.forceFlush({ retry: false }), {
        undeliveredItemCount: 100 * (round + 1),
      })
    }
    const peer = await startHttpPeer(accept, { port })
    t.after(peer.stop)
    await until(({ delivered }) => delivered === 500)
    assert.equal(new Set(spanNames(peer.requests.map(({ body }) => body))).size, 500)
    assert.equal(said.length, 2)
  })
})

describe('OTLP exporter: limits and ends', () => {
  it('drops the newest spans when the queue is full, and takes spans again when there is room', async (t) => {
    let hangs = true
    const peer = await startHttpPeer((response, request, index) => {
      if (!hangs) accept(response, request, index)
    })
    t.after(peer.stop)
    const rig = start(t, { endpoint: peer.url, queueBytesMax: 1024 * 1024, timeoutMs: 200 })
    const { exporter, said, until } = rig
    const large = { flatAttributes: ['payload', 'x'.repeat(10_000)] }
    for (let index = 0; index < 200; index++) exporter.onEnd(testSpan(index, large))
    const { pending, dropped } = exporter.ledger()
    assert.equal(pending + (dropped['queue_full'] ?? 0), 200)
    assert.ok(pending > 90 && pending < 110, `${pending} spans of 10 kB in 1 MiB`)
    assert.ok(said.includes('throughline: dropped 1 span (queue_full): 1048576 bytes wait for the collector'))
    hangs = false
    await until((ledger) => ledger.pending === 0)
    rig.endSpans(1)
    assert.deepEqual(await exporter.forceFlush(), { undeliveredItemCount: 0 })
    assert.deepEqual(exporter.ledger().dropped, dropped)
  })

  it('shutdown with a dead collector ends in time and counts the rest', async (t) => {
    const port = await unusedPort()
    const { exporter, endSpans, said } = start(t, { endpoint: `http://127.0.0.1:${port}` })
    endSpans(7)
    assert.deepEqual(await exporter.shutdown({ timeoutMs: 50 }), { undeliveredItemCount: 7 })
    assert.deepEqual(exporter.ledger(), {
      ended: 7,
      delivered: 0,
      pending: 0,
      spooled: 0,
      dropped: { shutdown_timeout: 7 },
    })
    assert.match(said.at(-1) ?? '', /dropped 7 spans \(shutdown_timeout\): http.* did not take them in time$/)
    endSpans(1)
    assert.deepEqual(exporter.ledger().dropped, { shutdown_timeout: 7, after_shutdown: 1 })
    assert.deepEqual(await exporter.shutdown(), { undeliveredItemCount: 7 }, 'the same result again')
  })

  it('a flush does not wait for the next retry', async (t) => {
    const port = await unusedPort()
    const aMonthMs = 2 ** 31 - 1
    const retry = { initialDelayMs: aMonthMs, delayMsMax: aMonthMs, elapsedMsMax: aMonthMs }
    const { exporter, endSpans } = start(t, { endpoint: `http://127.0.0.1:${port}`, retry })
    endSpans(3)
    assert.deepEqual(await exporter.forceFlush({ retry: false }), { undeliveredItemCount: 3 })
    const peer = await startHttpPeer(accept, { port })
    t.after(peer.stop)
    assert.deepEqual(await exporter.forceFlush(), { undeliveredItemCount: 0 })
  })

  it('does nothing in the context of a span', async (t) => {
    const storage = new AsyncLocalStorage<string>()
    const endpoint = `http://127.0.0.1:${await unusedPort()}`
    const context = await new Promise((resolve) => {
      const diagnostics = (): void => resolve(storage.getStore())
      const { exporter, endSpans } = start(t, { endpoint, diagnostics })
      // More than a chunk holds: the thread is started within end().
      storage.run('request', () => endSpans(3000))
      void exporter.forceFlush({ retry: false })
    })
    assert.equal(context, undefined)
  })

  it('shutdown delivers what waits', async (t) => {
    const peer = await startHttpPeer(accept)
    t.after(peer.stop)
    const { exporter, endSpans } = start(t, { endpoint: peer.url })
    endSpans(7)
    assert.deepEqual(await exporter.shutdown(), { undeliveredItemCount: 0 })
    assert.equal(exporter.ledger().delivered, 7)
  })

  it('flush and shutdown without spans start nothing', async (t) => {
    const { exporter, said } = start(t, { endpoint: `http://127.0.0.1:${await unusedPort()}` })
    await exporter.forceFlush()
    assert.deepEqual(await exporter.shutdown(), { undeliveredItemCount: 0 })
    assert.deepEqual(said, [])
  })

  it('loses nothing by a crash of its thread: another one gets what it had', async (t) => {
    const peer = await startHttpPeer(firstThenAccept((response) => response.writeHead(503).end()))
    t.after(peer.stop)
    // A planted defect: without retry limits the worker throws at its first failure.
    const { exporter, endSpans, said } = start(t, { endpoint: peer.url }, { retry: undefined })
    endSpans(2)
    assert.deepEqual(await exporter.forceFlush(), { undeliveredItemCount: 0 })
    assert.match(said[0] ?? '', /the export thread crashed \(.*\); it is started again/)
    assert.deepEqual(exporter.ledger(), { ended: 2, delivered: 2, pending: 0, spooled: 0, dropped: {} })
  })

  it('does not start a thread again that always crashes', async (t) => {
    const port = await unusedPort()
    const { exporter, endSpans, said } = start(
      t,
      { endpoint: `http://127.0.0.1:${port}` },
      { retry: undefined },
    )
    for (let crash = 0; crash < 7; crash++) {
      endSpans(1)
      await exporter.forceFlush()
    }
    assert.deepEqual(exporter.ledger().dropped, { worker_crash: 2, worker_unavailable: 5 })
    assert.match(said.join('\n'), /it is not started again for now/)
  })
})

describe('OTLP exporter over gRPC', () => {
  it('delivers a burst', async (t) => {
    const peer = await startGrpcPeer(() => Buffer.alloc(0))
    t.after(peer.stop)
    const { exporter, endSpans } = start(t, {
      endpoint: peer.endpoint,
      protocol: 'grpc',
      compression: 'gzip',
    })
    endSpans(5000)
    assert.deepEqual(await exporter.forceFlush(), { undeliveredItemCount: 0 })
    assert.equal(new Set(spanNames(peer.requests.map(({ body }) => body))).size, 5000)
  })

  it('drops what is refused, retries what is unavailable', async (t) => {
    const answers = [
      { code: status.INVALID_ARGUMENT, details: 'bad' },
      { code: status.UNAVAILABLE },
      Buffer.alloc(0),
    ]
    const peer = await startGrpcPeer((index) => answers[index])
    t.after(peer.stop)
    const { exporter, endSpans, said } = start(t, { endpoint: peer.endpoint, protocol: 'grpc' })
    endSpans(2)
    assert.deepEqual(await exporter.forceFlush(), { undeliveredItemCount: 2 })
    endSpans(3)
    assert.deepEqual(await exporter.forceFlush(), { undeliveredItemCount: 0 })
    assert.deepEqual(exporter.ledger(), {
      ended: 5,
      delivered: 3,
      pending: 0,
      spooled: 0,
      dropped: { grpc_INVALID_ARGUMENT: 2 },
    })
    assert.equal(said[0], 'throughline: dropped 2 spans (grpc_INVALID_ARGUMENT): gRPC INVALID_ARGUMENT: bad')
  })

  it('delivers everything after an outage', async (t) => {
    const port = await unusedPort()
    const { exporter, endSpans, until } = start(t, { endpoint: `127.0.0.1:${port}`, protocol: 'grpc' })
    endSpans(100)
    assert.deepEqual(await exporter.forceFlush({ retry: false }), { undeliveredItemCount: 100 })
    const peer = await startGrpcPeer(() => Buffer.alloc(0), { port })
    t.after(peer.stop)
    await until(({ delivered }) => delivered === 100)
  })
})
