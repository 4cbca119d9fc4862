// Fills the tables of docs/benchmarks.md from bench/results: everything between the two marks is replaced.
// Run: node bench/dist/report/write-tables.js
import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { type LoadRun, type MicroRun, median, type NatsRun, type VariantResult } from './results.ts'

const root = new URL('../../../', import.meta.url)
const results = new URL('bench/results/', root)
const document = new URL('docs/benchmarks.md', root)
const begin = '<!-- tables: begin; written by bench/report/write-tables.ts, not by hand -->'
const end = '<!-- tables: end -->'

const runs = readdirSync(results)
  .filter((name) => /^(?:load|micro|nats)-.*\.json$/.test(name))
  .toSorted((a, b) => a.localeCompare(b, 'en', { numeric: true }))
  .map((file) => ({
    file,
    run: JSON.parse(readFileSync(new URL(file, results), 'utf8')) as LoadRun | MicroRun | NatsRun,
  }))
const sections = runs.map(({ file, run }) => {
  if (run.kind === 'load') return loadSection(file, run)
  return run.kind === 'nats' ? natsSection(file, run) : microSection(file, run)
})
const text = readFileSync(document, 'utf8')
const from = text.indexOf(begin)
const to = text.indexOf(end)
if (from < 0 || to < from) throw new Error(`docs/benchmarks.md lacks the marks "${begin}" and "${end}"`)
writeFileSync(
  document,
  `${text.slice(0, from + begin.length)}\n\n${sections.join('\n\n')}\n\n${text.slice(to)}`,
)

function loadSection(file: string, run: LoadRun): string {
  const seconds = Number(run.mode['roundMs']) / 1000
  const how = `${run.mode['roundCount']} rounds of ${seconds} s, ${run.mode['connectionCount']} connections`
  const tables = Object.entries(run.frameworks).map(([framework, variants]) => loadTable(framework, variants))
  return [`### Load, Node ${run.node.slice(1)}`, origin(file, run, how), ...tables].join('\n\n')
}

function natsSection(file: string, run: NatsRun): string {
  const { roundCount, roundMs, payloadBytes } = run.mode
  const how = `${roundCount} rounds of ${Number(roundMs) / 1000} s, ${payloadBytes} bytes a message`
  const rows = run.results.flatMap(({ variant, scenarios }) =>
    scenarios.map(({ scenario, perSecondMedian, keptMedian, cpuMicrosecondsMedian }) =>
      row([
        scenario,
        variant,
        perSecondMedian.toFixed(0),
        percent(keptMedian),
        cpuMicrosecondsMedian.toFixed(1),
      ]),
    ),
  )
  const table = [row(['NATS', '', 'operations/s', 'kept', 'CPU us/operation']), '|---|---|---:|---:|---:|']
  return [`### NATS, Node ${run.node.slice(1)}`, origin(file, run, how), [...table, ...rows].join('\n')].join(
    '\n\n',
  )
}

function loadTable(framework: string, variants: readonly VariantResult[]): string {
  const bare = variants.find(({ variant }) => variant === 'none')
  const rows = variants.map((variant) => {
    const rate = of(variant, 'requestsPerSecond')
    const cpu = of(variant, 'cpuMicrosecondsPerRequest')
    return row([
      variant.variant,
      rate.toFixed(0),
      bare === undefined ? '' : percent(rate / of(bare, 'requestsPerSecond')),
      cpu.toFixed(1),
      bare === undefined ? '' : percent(of(bare, 'cpuMicrosecondsPerRequest') / cpu),
      of(variant, 'latencyMsP50').toFixed(2),
      of(variant, 'latencyMsP99').toFixed(2),
      of(variant, 'rssMib').toFixed(0),
      variant.spansPerRequest.toFixed(3),
      String(variant.rounds.reduce((sum, { errorCount }) => sum + errorCount, 0)),
    ])
  })
  const head = ['requests/s', 'kept', 'CPU us/request', 'kept by CPU', 'p50 ms', 'p99 ms', 'RSS MiB']
  return [
    row([framework === 'http' ? 'node:http' : 'Fastify', ...head, 'spans/request', 'errors']),
    `|---|${'---:|'.repeat(head.length + 2)}`,
    ...rows,
  ].join('\n')
}

function microSection(file: string, run: MicroRun): string {
  const rows = run.benchmarks.map((benchmark) =>
    row([
      benchmark.group,
      benchmark.name,
      nanoseconds(benchmark.nanosecondsMin),
      nanoseconds(benchmark.nanosecondsP50),
      nanoseconds(benchmark.nanosecondsP99),
      benchmark.heapBytes === undefined ? '' : benchmark.heapBytes.toFixed(0),
      millions(benchmark.nanosecondsP50),
    ]),
  )
  return [
    `### Micro (${file.split('-')[1] ?? ''}), Node ${run.node.slice(1)}`,
    origin(file, run, 'mitata; one operation, or one span of a batch'),
    [
      row(['', '', 'best ns', 'median ns', 'p99 ns', 'heap bytes', 'millions/s']),
      '|---|---|---:|---:|---:|---:|---:|',
      ...rows,
    ].join('\n'),
  ].join('\n\n')
}

function origin(file: string, run: LoadRun | MicroRun | NatsRun, how: string): string {
  const { cpu, coreCount, memoryGib, loadAverageAtStart } = run.machine
  const versions = Object.entries(run.versions).map(([name, version]) => `${name} ${version}`)
  const lines = [
    `${run.date.slice(0, 10)}, ${cpu}, ${coreCount} cores, ${memoryGib} GiB, load average ${loadAverageAtStart} at the start. ${how}.`,
    `${versions.join(', ')}. [${file}](../bench/results/${file})`,
  ]
  if (run.note !== '') lines.push(`**${run.note}**`)
  return lines.join('\n')
}

function of(variant: VariantResult, field: keyof VariantResult['rounds'][number]): number {
  return median(variant.rounds.map((round) => round[field]))
}

function row(cells: readonly string[]): string {
  return `| ${cells.join(' | ')} |`
}

function percent(share: number): string {
  return `${(share * 100).toFixed(0)} %`
}

function nanoseconds(value: number): string {
  return value.toFixed(value < 10 ? 1 : 0)
}

function millions(ns: number): string {
  return (1000 / ns).toFixed(2)
}
