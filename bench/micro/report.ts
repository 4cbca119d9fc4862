import { parseArgs } from 'node:util'
import { run } from 'mitata'
import { machine, versionsOf, writeResult } from '../report/machine.ts'
import type { MicroResult, MicroRun } from '../report/results.ts'

/**
 * Runs the benchmarks that were declared, prints them, and keeps the figures in bench/results. A benchmark is named
 * `what is done: who does it`; `perIteration` says for which of them one iteration handles many things.
 */
export async function report(
  name: string,
  perIteration: Readonly<Record<string, number>> = {},
): Promise<void> {
  const { values } = parseArgs({
    options: { note: { type: 'string', default: '' }, out: { type: 'string' } },
  })
  const atStart = machine()
  const { benchmarks } = await run()
  const results: MicroResult[] = []
  for (const { alias, runs } of benchmarks) {
    const stats = runs[0]?.stats
    if (stats === undefined) throw new Error(`benchmark "${alias}" failed`)
    const colon = alias.lastIndexOf(': ')
    const group = alias.slice(0, colon)
    const count = perIteration[group] ?? 1
    results.push({
      group,
      name: alias.slice(colon + 2),
      perIteration: count,
      nanosecondsMin: stats.min / count,
      nanosecondsP50: stats.p50 / count,
      nanosecondsP99: stats.p99 / count,
      heapBytes: stats.heap === undefined ? undefined : stats.heap.avg / count,
    })
  }
  const result: MicroRun = {
    kind: 'micro',
    date: new Date().toISOString(),
    node: process.version,
    machine: atStart,
    versions: versionsOf([
      '@opentelemetry/sdk-trace-base',
      '@opentelemetry/otlp-transformer',
      '@throughline/trace',
      'mitata',
    ]),
    note: values.note,
    benchmarks: results,
  }
  writeResult(values.out ?? `micro-${name}-node${process.versions.node.split('.')[0]}.json`, result)
}
