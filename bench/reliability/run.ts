// What reaches the collector, what is said, and how the program ends, under each kind of tracing: docs/reliability.md.
import { parseArgs } from 'node:util'
import { machine, versionsOf, writeResult } from '../report/machine.ts'
import { measureAnswers } from './answers.ts'
import { measureBursts } from './bursts.ts'
import { measureEnds } from './ends.ts'
import { measureKills } from './kills.ts'
import { measureOutages } from './outages.ts'
import type { ReliabilityRun } from './results.ts'
import { writeReliability } from './write-reliability.ts'

const sections = ['ends', 'kills', 'bursts', 'answers', 'outages'] as const
const { values: options } = parseArgs({
  options: {
    quick: { type: 'boolean', default: false },
    section: { type: 'string', multiple: true, default: [...sections] },
    out: { type: 'string' },
    note: { type: 'string', default: '' },
    tables: { type: 'boolean', default: false },
  },
})
const unknown = options.section.find((name) => !sections.some((section) => section === name))
if (unknown !== undefined) {
  console.error(
    `--section "${unknown}" is not known; allowed (repeat the option for several): ${sections.join(', ')}`,
  )
  process.exit(2)
}
if (options.tables) {
  writeReliability()
  process.exit(0)
}
const wants = (section: (typeof sections)[number]): boolean => options.section.includes(section)
const startMs = Date.now()

const run: ReliabilityRun = {
  kind: 'reliability',
  date: new Date().toISOString(),
  node: process.version,
  machine: machine(),
  versions: versionsOf([
    '@opentelemetry/sdk-node',
    '@opentelemetry/exporter-trace-otlp-proto',
    '@opentelemetry/exporter-trace-otlp-grpc',
    '@throughline/node',
  ]),
  note: options.note,
  ends: wants('ends') ? await measureEnds(3) : [],
  kills: wants('kills') ? await measureKills(options.quick ? 1 : 5) : [],
  bursts: wants('bursts') ? await measureBursts() : [],
  answers: wants('answers') ? await measureAnswers() : [],
  outages: wants('outages')
    ? await measureOutages({ spansPerSecond: 2_000, outageMs: options.quick ? 5_000 : 60_000 })
    : [],
}
const isWhole = !options.quick && options.section.length === sections.length
writeResult(options.out ?? 'reliability.json', run)
if (isWhole && options.out === undefined) writeReliability()
// What an outage may take beside the memory before it: the queue's 64 MiB, once more for what the heap does with it.
const growthMibMax = 128
for (const { variant, protocol, lost, rssMibBefore, rssMibMax } of run.outages) {
  if (!variant.startsWith('throughline') || (lost === 0 && rssMibMax <= rssMibBefore + growthMibMax)) continue
  console.error(
    `${variant}, ${protocol}: an outage lost ${lost} spans and took ${rssMibBefore} to ${rssMibMax} MiB`,
  )
  process.exitCode = 1
}
console.error(`took ${Math.round((Date.now() - startMs) / 1000)} s`)
