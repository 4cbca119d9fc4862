import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import type { Span } from '../model.ts'
import type { TraceStore } from '../store.ts'
import { jobTrace, sampleLog, sampleOriginNano, sampleSpan, source } from './sample.ts'
import { testSpanStates } from './state-suite.ts'

export interface StoreUnderTest {
  readonly name: string
  /** An empty store whose clock is `nowMs`. */
  readonly open: (options: { readonly nowMs: () => number }) => Promise<TraceStore>
}

const hour = 3_600_000
const everything = { spansMax: 1_000, attributes: true }
const traceId = (n: number): string => n.toString(16).padStart(32, 'a')
const spanId = (n: number): string => n.toString(16).padStart(16, '0')

/** What `TraceStore` promises. Every implementation runs this suite. */
export function testTraceStore({ name, open }: StoreUnderTest): void {
  describe(`${name} keeps what it took`, () => {
    withStore(open, (store) => {
      it('gives a span back to the nanosecond and the last attribute', async () => {
        const span = richSpan(traceId(1))
        await store().append({ spans: [span], logs: [] })
        const trace = await store().trace(traceId(1), everything)
        assert.deepEqual(trace, { spans: [span], logs: [], truncated: false })
        assert.deepEqual(await store().span(traceId(1), span.spanId), span)
      })

      it('knows nothing of a trace that never came', async () => {
        assert.equal(await store().trace(traceId(404), everything), undefined)
        assert.equal(await store().span(traceId(1), spanId(404)), undefined)
      })

      it('leaves attributes out when asked to', async () => {
        const trace = await store().trace(traceId(1), { spansMax: 10, attributes: false })
        const { attributes: _, ...without } = richSpan(traceId(1))
        assert.deepEqual(trace?.spans, [without])
      })

      it('gives logs of the trace back in order of time', async () => {
        const later = sampleLog({
          traceId: traceId(2),
          timeUnixNano: sampleOriginNano + 9n,
          body: { a: [1, null] },
        })
        const sooner = sampleLog({
          traceId: traceId(2),
          attributes: { 'job.id': 'x' },
          severityText: 'ERROR',
        })
        const elsewhere = sampleLog({ traceId: traceId(3) })
        await store().append({
          spans: [sampleSpan({ traceId: traceId(2) })],
          logs: [sooner, later, elsewhere],
        })
        assert.deepEqual((await store().trace(traceId(2), everything))?.logs, [later, sooner])
      })

      it('keeps batches that arrive at the same time', async () => {
        const spans = Array.from({ length: 50 }, (_, i) =>
          sampleSpan({ traceId: traceId(5), spanId: spanId(i + 1) }),
        )
        await Promise.all(spans.map((span) => store().append({ spans: [span], logs: [] })))
        assert.equal((await store().trace(traceId(5), everything))?.spans.length, 50)
      })
    })
  })
  testDuplicates({ name, open })
  testSpanStates(name, (tests) => withStore(open, tests))
  testLists({ name, open })
  testRetention({ name, open })
  testClose({ name, open })
}

function richSpan(ofTrace: string): Span {
  return sampleSpan({
    traceId: ofTrace,
    parentSpanId: spanId(77),
    traceState: 'vendor=1,other=2',
    name: 'name with \0, "quotes", \u2028 and \u{1f50d}',
    kind: 5,
    endTimeUnixNano: sampleOriginNano + 1n,
    statusCode: 2,
    statusMessage: 'it failed',
    attributes: JSON.parse(
      '{"text":"","int":9007199254740991,"list":["a",null],"no":false,"__proto__":"own"}',
    ),
    events: [
      { timeUnixNano: sampleOriginNano + 1n, name: 'exception', attributes: { 'exception.type': 'E' } },
    ],
    links: [{ traceId: traceId(9), spanId: spanId(9), attributes: { why: 'batch' } }],
    droppedCount: 3,
    source: { ...source('rich'), scopeAttributes: { short: true } },
  })
}

function testDuplicates({ name, open }: StoreUnderTest): void {
  describe(`${name} takes a span delivered twice as one`, () => {
    withStore(open, (store) => {
      it('in one batch and in a later one, and the first arrival counts', async () => {
        const first = sampleSpan({ name: 'first', statusCode: 2 })
        const second = { ...first, name: 'second' }
        await store().append({ spans: [first, second], logs: [] })
        await store().append({ spans: [second], logs: [] })
        assert.deepEqual((await store().trace(first.traceId, everything))?.spans, [first])
        assert.equal((await store().span(first.traceId, first.spanId))?.name, 'first')
      })

      it('in counts', async () => {
        const [trace] = await store().traces({ limit: 10 })
        assert.deepEqual([trace?.spanCount, trace?.errorCount], [1, 1])
        assert.deepEqual(await store().services(), [{ name: 'sample', spanCount: 1, errorCount: 1 }])
      })

      it('but not the same span id in another trace', async () => {
        await store().append({ spans: [sampleSpan({ traceId: traceId(1) })], logs: [] })
        assert.equal((await store().services())[0]?.spanCount, 2)
      })
    })
  })
}

function testLists({ name, open }: StoreUnderTest): void {
  describe(`${name} lists traces`, () => {
    withStore(open, (store) => {
      before(async () => {
        const later = sampleOriginNano + 10_000_000_000n
        const orphan = sampleSpan({
          traceId: traceId(2),
          parentSpanId: spanId(5),
          name: 'orphan',
          statusCode: 2,
        })
        await store().append({ spans: jobTrace(traceId(1), later), logs: [] })
        await store().append({ spans: [orphan], logs: [] })
      })

      it('newest first, each with its root, services, counts and times', async () => {
        const [job, orphan] = await store().traces({ limit: 10 })
        assert.deepEqual(job, {
          traceId: traceId(1),
          rootName: 'osapi client node hostname',
          rootService: 'osapi-cli',
          services: ['osapi-api', 'osapi-cli', 'osapi-worker'],
          spanCount: 11,
          errorCount: 0,
          pendingCount: 0,
          interruptedCount: 0,
          startTimeUnixNano: sampleOriginNano + 10_000_000_000n,
          durationMs: 48.2,
        })
        assert.deepEqual([orphan?.rootName, orphan?.errorCount], ['orphan', 1])
      })

      const ids = async (filter: Partial<Parameters<TraceStore['traces']>[0]>): Promise<readonly string[]> =>
        (await store().traces({ limit: 10, ...filter })).map((trace) => trace.traceId)

      it('by service, errors and duration, each alone and together', async () => {
        assert.deepEqual(await ids({ service: 'osapi-worker' }), [traceId(1)])
        assert.deepEqual(await ids({ service: "' OR 1=1 --" }), [])
        assert.deepEqual(await ids({ errorsOnly: true }), [traceId(2)])
        assert.deepEqual(await ids({ errorsOnly: false }), [traceId(1), traceId(2)])
        assert.deepEqual(await ids({ durationMsMin: 48.2 }), [traceId(1)])
        assert.deepEqual(await ids({ durationMsMin: 48.200001 }), [])
        assert.deepEqual(await ids({ service: 'sample', durationMsMin: 2 }), [])
      })

      it('no more than the limit', async () => {
        assert.deepEqual(await ids({ limit: 1 }), [traceId(1)])
      })

      it('services by name', async () => {
        const names = (await store().services()).map((service) => service.name)
        assert.deepEqual(names, ['osapi-api', 'osapi-cli', 'osapi-worker', 'sample'])
      })

      it('and cuts a trace at spansMax, keeping the earliest', async () => {
        const all = await store().trace(traceId(1), { spansMax: 11, attributes: false })
        assert.deepEqual([all?.spans.length, all?.truncated], [11, false])
        const cut = await store().trace(traceId(1), { spansMax: 10, attributes: false })
        assert.deepEqual([cut?.spans.length, cut?.truncated], [10, true])
        assert.equal(cut?.spans[0]?.name, 'osapi client node hostname')
      })
    })
  })
}

function testRetention({ name, open }: StoreUnderTest): void {
  describe(`${name} deletes what is old or too much`, () => {
    let nowMs = 0
    const unlimited = Number.MAX_SAFE_INTEGER
    withStore(
      (options) => open({ ...options, nowMs: () => nowMs }),
      (store) => {
        it('keeps what is exactly as old as allowed, and deletes what is older', async () => {
          for (const hours of [1, 2, 3]) {
            nowMs = hours * hour
            await appendLarge(store(), hours)
          }
          const result = await store().applyRetention({
            nowMs: 5 * hour,
            ageMsMax: 3 * hour,
            bytesMax: unlimited,
          })
          assert.deepEqual(result, { deletedSpansCount: 1, deletedLogsCount: 1 })
          const names = (await store().services()).map((service) => service.name)
          assert.deepEqual(names, ['service-2', 'service-3'])
        })

        it('deletes the oldest arrivals until the rest fits', async () => {
          const result = await store().applyRetention({
            nowMs: 5 * hour,
            ageMsMax: 99 * hour,
            bytesMax: 15_000,
          })
          assert.deepEqual(result, { deletedSpansCount: 1, deletedLogsCount: 1 })
          assert.equal(await store().trace(traceId(2), everything), undefined)
          assert.equal((await store().trace(traceId(3), everything))?.spans.length, 1)
        })

        it('and goes on to take spans of the same source', async () => {
          await appendLarge(store(), 1)
          const trace = await store().trace(traceId(1), everything)
          assert.equal(trace?.spans[0]?.source.service, 'service-1')
          assert.equal(trace?.spans[0]?.source.resource['host.name'], 'web-01')
        })
      },
    )
  })
}

/** One span of about 10,000 bytes and one small log record. */
const appendLarge = (store: TraceStore, n: number): Promise<void> => {
  const text = 'x'.repeat(10_000)
  const span = sampleSpan({ traceId: traceId(n), attributes: { text }, source: source(`service-${n}`) })
  return store.append({ spans: [span], logs: [sampleLog({ traceId: traceId(n) })] })
}

function testClose({ name, open }: StoreUnderTest): void {
  describe(`${name} closes`, () => {
    it('after what was appended, and then refuses everything', async () => {
      const store = await open({ nowMs: Date.now })
      const appended = store.append({ spans: [sampleSpan()], logs: [] })
      await Promise.all([store.close(), store.close(), appended])
      await assert.rejects(store.append({ spans: [sampleSpan()], logs: [] }), { code: 'store_closed' })
      await assert.rejects(store.traces({ limit: 1 }), { code: 'store_closed' })
    })
  })
}

function withStore(open: StoreUnderTest['open'], tests: (store: () => TraceStore) => void): void {
  let store: TraceStore | undefined
  before(async () => {
    store = await open({ nowMs: Date.now })
  })
  after(() => store?.close())
  tests(() => {
    assert.ok(store, 'the store opens before the tests')
    return store
  })
}
