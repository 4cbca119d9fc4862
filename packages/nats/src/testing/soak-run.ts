// Ten minutes of Soak with a server crash every 20 s, by hand: `node --expose-gc packages/nats/dist/testing/soak-run.js
// [minutes] [result file]`. Fails when a span stays open or memory grows.
import { writeFileSync } from 'node:fs'
import { setTimeout as delay } from 'node:timers/promises'
import type { ReadableSpan, SpanProcessor } from '@opentelemetry/sdk-trace-base'
import { startNatsServer } from '@throughline/nats-server'
import { compositePropagator, TracerProvider, w3cTraceContextPropagator } from '@throughline/trace'
import { Soak } from './soak.ts'

/** What is open, by the span's id: kept so that a span that stays open can be named. */
class OpenSpans implements SpanProcessor {
  readonly open = new Map<string, string>()
  started = 0
  ended = 0

  onStart(span: Parameters<SpanProcessor['onStart']>[0]): void {
    this.started++
    this.open.set(span.spanContext().spanId, span.name)
  }

  onEnd(span: ReadableSpan): void {
    this.ended++
    this.open.delete(span.spanContext().spanId)
  }

  forceFlush(): Promise<void> {
    return Promise.resolve()
  }

  shutdown(): Promise<void> {
    return Promise.resolve()
  }
}

interface Sample {
  readonly second: number
  readonly heapMiB: number
  readonly rssMiB: number
  readonly openSpans: number
  readonly endedSpans: number
}

const crashEveryMs = 20_000
const sampleEveryMs = 10_000
const minutes = Number(process.argv[2] ?? 10)
const resultFile = process.argv[3]

const spans = new OpenSpans()
const provider = new TracerProvider({ spanProcessors: [spans] })
provider.register({ propagator: compositePropagator([w3cTraceContextPropagator()]) })
const server = await startNatsServer({ jetstream: true })
const soak = await Soak.start({ server, pause: (milliseconds) => delay(milliseconds) })
const startTime = performance.now()
const elapsedMs = (): number => performance.now() - startTime

function sample(): Sample {
  globalThis.gc?.()
  const { heapUsed, rss } = process.memoryUsage()
  return {
    second: Math.round(elapsedMs() / 1_000),
    heapMiB: Math.round(heapUsed / 104_857.6) / 10,
    rssMiB: Math.round(rss / 104_857.6) / 10,
    openSpans: spans.open.size,
    endedSpans: spans.ended,
  }
}

const samples: Sample[] = []
let nextCrashMs = crashEveryMs
while (elapsedMs() < minutes * 60_000) {
  await delay(sampleEveryMs)
  samples.push(sample())
  console.log(JSON.stringify({ ...samples.at(-1), ...soak.counts }))
  if (elapsedMs() >= nextCrashMs) {
    nextCrashMs += crashEveryMs
    await soak.crash()
  }
}
await soak.stop()
// A request that was under way at the end is given up after its second.
await delay(2_000)
samples.push(sample())
await server.stop()

function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? Number.NaN
}

const quarter = Math.floor(samples.length / 4)
const heapEarlyMiB = median(samples.slice(quarter, 2 * quarter).map(({ heapMiB }) => heapMiB))
const heapLateMiB = median(samples.slice(-quarter).map(({ heapMiB }) => heapMiB))
const result = {
  node: process.version,
  minutes,
  counts: soak.counts,
  startedSpans: spans.started,
  endedSpans: spans.ended,
  openAtEnd: [...spans.open.values()],
  heapEarlyMiB,
  heapLateMiB,
  samples,
}
console.log(JSON.stringify({ ...result, samples: undefined }, undefined, 2))
if (resultFile !== undefined) writeFileSync(resultFile, `${JSON.stringify(result, undefined, 2)}\n`)
// A tenth and 2 MiB are what a heap of this size varies by.
if (spans.open.size > 0 || heapLateMiB > heapEarlyMiB * 1.1 + 2) process.exitCode = 1
process.exit()
