import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { Span } from '../model.ts'
import type { TraceFilter, TraceStore } from '../store.ts'
import { sampleOriginNano, sampleSpan, source } from './sample.ts'

const everything = { spansMax: 1_000, attributes: true }
const traceIdOf = (n: number): string => n.toString(16).padStart(32, 'b')
const at = (ms: number): bigint => sampleOriginNano + BigInt(ms * 1e6)

/** One span, told of twice while it ran, given up for dead, and then delivered after all. */
const reports: Readonly<Record<'pending' | 'later' | 'interrupted' | 'ended', Partial<Span>>> = {
  pending: { name: 'pending', state: 'pending', endTimeUnixNano: at(500), attributes: { step: 1 } },
  later: { name: 'later', state: 'pending', endTimeUnixNano: at(900), attributes: { step: 2 } },
  interrupted: {
    name: 'interrupted',
    state: 'interrupted',
    interruption: 'SIGTERM',
    endTimeUnixNano: at(1000),
    statusCode: 2,
    statusMessage: 'SIGTERM',
  },
  ended: { name: 'ended', endTimeUnixNano: at(700), attributes: { step: 3 } },
}
type Report = keyof typeof reports

/** Which of these counts, in the order in which they arrive. */
function winnerOf(arrivals: readonly Report[]): Report {
  for (const report of ['ended', 'interrupted'] as const) if (arrivals.includes(report)) return report
  return arrivals.at(-1) ?? 'ended'
}

function permutations<T>(items: readonly T[]): readonly (readonly T[])[] {
  if (items.length === 0) return [[]]
  return items.flatMap((item, at) => permutations(items.toSpliced(at, 1)).map((rest) => [item, ...rest]))
}

const arrivals: readonly (readonly Report[])[] = [
  ...permutations(['pending', 'later', 'interrupted', 'ended'] as const),
  ...permutations(['pending', 'interrupted'] as const),
  ...permutations(['later', 'ended'] as const),
  ...permutations(['pending', 'later'] as const),
  ['pending'],
  ['interrupted', 'interrupted'],
  ['ended', 'pending', 'ended'],
]

const spanOf = (trace: number, report: Report): Span =>
  sampleSpan({ traceId: traceIdOf(trace), source: source(`service-${trace}`), ...reports[report] })

/** The ids of the traces whose span should be one of these. */
const tracesOf = (...winners: readonly Report[]): readonly string[] =>
  arrivals.flatMap((order, trace) => (winners.includes(winnerOf(order)) ? [traceIdOf(trace)] : []))

const found = async (store: TraceStore, filter: Partial<TraceFilter>): Promise<readonly string[]> =>
  (await store.traces({ limit: 1_000, ...filter })).map(({ traceId }) => traceId).toSorted()

async function assertAll(store: TraceStore): Promise<void> {
  const list = await store.traces({ limit: 1_000 })
  const services = await store.services()
  for (const [trace, order] of arrivals.entries()) {
    const winner = spanOf(trace, winnerOf(order))
    const why = `${trace}: ${order.join(', ')}`
    assert.deepEqual((await store.trace(winner.traceId, everything))?.spans, [winner], why)
    assert.deepEqual(await store.span(winner.traceId, winner.spanId), winner, why)
    const errorCount = winner.statusCode === 2 ? 1 : 0
    const summary = list.find(({ traceId }) => traceId === winner.traceId)
    assert.deepEqual(
      summary,
      {
        traceId: winner.traceId,
        rootName: winner.name,
        rootService: winner.source.service,
        services: [winner.source.service],
        spanCount: 1,
        errorCount,
        pendingCount: winner.state === 'pending' ? 1 : 0,
        interruptedCount: winner.state === 'interrupted' ? 1 : 0,
        startTimeUnixNano: sampleOriginNano,
        durationMs: Number(winner.endTimeUnixNano - sampleOriginNano) / 1e6,
      },
      why,
    )
    const service = services.find((service) => service.name === winner.source.service)
    assert.deepEqual(service, { name: winner.source.service, spanCount: 1, errorCount }, why)
  }
}

/** What `TraceStore` promises of spans that come as pending or interrupted; the part of `testTraceStore` about them. */
export function testSpanStates(
  name: string,
  withStore: (tests: (store: () => TraceStore) => void) => void,
): void {
  describe(`${name} keeps the most that it knows of a span`, () => {
    withStore((store) => {
      it('in whatever order it arrives, batch by batch', async () => {
        for (const [trace, order] of arrivals.entries())
          for (const report of order) await store().append({ spans: [spanOf(trace, report)], logs: [] })
        await assertAll(store())
      })

      it('and finds traces by what counts alone', async () => {
        assert.deepEqual(await found(store(), { errorsOnly: true }), tracesOf('interrupted'))
        assert.deepEqual(await found(store(), { durationMsMin: 950 }), tracesOf('interrupted'))
        assert.deepEqual(await found(store(), { state: 'pending' }), tracesOf('pending', 'later'))
        assert.deepEqual(await found(store(), { state: 'interrupted' }), tracesOf('interrupted'))
      })

      it('after old data was deleted too, of which that is none', async () => {
        const retention = { nowMs: Date.now(), ageMsMax: 3_600_000, bytesMax: Number.MAX_SAFE_INTEGER }
        const result = await store().applyRetention(retention)
        assert.deepEqual(result, { deletedSpansCount: 0, deletedLogsCount: 0 })
        await assertAll(store())
      })
    })
    withStore((store) => {
      it('in whatever order it stands in one batch', async () => {
        for (const [trace, order] of arrivals.entries())
          await store().append({ spans: order.map((report) => spanOf(trace, report)), logs: [] })
        await assertAll(store())
      })
    })
  })
}
