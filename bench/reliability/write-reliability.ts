import { readFileSync, writeFileSync } from 'node:fs'
import type { AnswerResult, EndResult, KillResult, OutageResult, ReliabilityRun } from './results.ts'
import type { VariantName } from './variants.ts'

const root = new URL('../../../', import.meta.url)
const document = new URL('docs/reliability.md', root)
const result = new URL('bench/results/reliability.json', root)
const begin = '<!-- tables: begin; written by bench/reliability/run.ts, not by hand -->'
const end = '<!-- tables: end -->'

const titles: Readonly<Record<VariantName, string>> = {
  none: 'no tracing',
  throughline: 'Throughline',
  'throughline-spool': 'Throughline, spool',
  opentelemetry: 'OpenTelemetry JS',
  'opentelemetry-shutdown': 'OpenTelemetry JS, shutdown handler',
}
const traced: readonly VariantName[] = [
  'throughline',
  'throughline-spool',
  'opentelemetry',
  'opentelemetry-shutdown',
]
/** Where the handler for SIGTERM makes no difference. */
const withoutHandler = traced.filter((name) => name !== 'opentelemetry-shutdown')

/** Fills the tables of docs/reliability.md from bench/results/reliability.json: everything between the two marks is replaced. */
export function writeReliability(): void {
  const run = JSON.parse(readFileSync(result, 'utf8')) as ReliabilityRun
  const text = readFileSync(document, 'utf8')
  const from = text.indexOf(begin)
  const to = text.indexOf(end)
  if (from < 0 || to < from) throw new Error(`docs/reliability.md lacks the marks "${begin}" and "${end}"`)
  const sections = [
    origin(run),
    endsSection(run.ends),
    outcomeSection(run.ends),
    awaySection(run.ends),
    killSection(run.kills),
    outageSection(run),
    answersSection(run.answers),
    saidSection(run),
  ]
  writeFileSync(
    document,
    `${text.slice(0, from + begin.length)}\n\n${sections.join('\n\n')}\n\n${text.slice(to)}`,
  )
}

function origin(run: ReliabilityRun): string {
  const { cpu, coreCount, memoryGib, loadAverageAtStart } = run.machine
  const versions = Object.entries(run.versions).map(([name, version]) => `${name} ${version}`)
  const lines = [
    `${run.date.slice(0, 10)}, Node ${run.node.slice(1)}, ${cpu}, ${coreCount} cores, ${memoryGib} GiB, load average ${loadAverageAtStart} at the start.`,
    `${versions.join(', ')}. Each single run: [reliability.json](../bench/results/reliability.json)`,
  ]
  if (run.note !== '') lines.push(`**${run.note}**`)
  return lines.join('\n')
}

function endsSection(ends: readonly EndResult[]): string {
  const there = ends.filter(({ collector }) => collector === 'there')
  const rows = distinct(there.map(({ way }) => way)).map((way) => [
    way,
    String(there.find((one) => one.way === way)?.ended),
    ...traced.map((variant) => lostOf(there.filter((one) => one.way === way && one.variant === variant))),
  ])
  return [
    '### Spans lost by each way to end, the collector there',
    'HTTP / gRPC; after the next start of the program where there is a spool.',
    table(['', 'ended', ...traced.map((name) => titles[name])], rows),
  ].join('\n\n')
}

function outcomeSection(ends: readonly EndResult[]): string {
  const rows = distinct(ends.map(({ way }) => way)).map((way) => [
    way,
    ...traced.map((variant) => outcomesOf(ends.filter((one) => one.way === way && one.variant === variant))),
  ])
  return [
    '### Exit code, signal and output beside the bare program',
    'Over all collectors and both protocols. "as bare": code, signal, stdout and stderr are equal, but for what tracing itself says. In brackets: the longest time to the end.',
    table(['', ...traced.map((name) => titles[name])], rows),
  ].join('\n\n')
}

function outcomesOf(ends: readonly EndResult[]): string {
  const others = ends.filter(({ isAsBare }) => !isAsBare)
  const seconds = (
    Math.max(...ends.map(({ durationMs }) => durationMs ?? Number.POSITIVE_INFINITY)) / 1000
  ).toFixed(1)
  const kinds = distinct(
    others.map(({ code, signal }) => signal ?? (code === null ? 'does not end' : `code ${code}`)),
  )
  const outcome =
    others.length === 0 ? 'as bare' : `${others.length} of ${ends.length} differ: ${kinds.join(', ')}`
  return `${outcome} (${seconds} s)`
}

function awaySection(ends: readonly EndResult[]): string {
  const away = ends.filter(({ collector }) => collector !== 'there')
  const rows = distinct(away.map(({ way }) => way)).flatMap((way) =>
    distinct(away.map(({ collector }) => collector)).map((collector) => {
      const here = away.filter((one) => one.way === way && one.collector === collector)
      return [
        way,
        collector,
        String(here[0]?.ended),
        ...traced.map((variant) => lostOf(here.filter((one) => one.variant === variant))),
      ]
    }),
  )
  return [
    '### The same with a collector that is slow (200 ms), refuses connections, or takes them and never answers',
    'With the next start of the program the collector is there again.',
    table(['', 'collector', 'ended', ...traced.map((name) => titles[name])], rows),
  ].join('\n\n')
}

function killSection(kills: readonly KillResult[]): string {
  const collectors = distinct(kills.map(({ collector }) => collector))
  const rows = collectors.flatMap((collector) =>
    withoutHandler.map((variant) => {
      const runs = kills.filter((one) => one.collector === collector && one.variant === variant)
      return [
        collector,
        titles[variant],
        String(runs.length),
        String(sum(runs.map(({ ended }) => ended))),
        String(sum(runs.map(({ lost }) => lost))),
        String(sum(runs.map(({ lostBefore100Ms }) => lostBefore100Ms))),
        String(Math.max(...runs.map(({ oldestLostMs }) => oldestLostMs))),
        code(runs.flatMap(({ saidByNextStart }) => saidByNextStart)[0] ?? ''),
      ]
    }),
  )
  const head = [
    'collector',
    '',
    'kills',
    'ended',
    'lost',
    'of these older than 100 ms',
    'oldest, ms',
    'the next start says',
  ]
  return [
    '### SIGKILL in the middle of 2,000 spans/s',
    'After the next start. The age of a lost span is counted from its end to the last sign of life.',
    table(head, rows),
  ].join('\n\n')
}

function outageSection({ outages, bursts }: ReliabilityRun): string {
  const rows = outages.map((one) => [
    `${one.outageMs / 1000} s, ${one.spansPerSecond} spans/s`,
    one.protocol,
    titles[one.variant],
    String(one.ended),
    String(one.lost),
    memoryOf(one),
    String(one.said.length),
  ])
  const burstRows = bursts.map((one) => [
    'burst in one tick',
    one.protocol,
    titles[one.variant],
    String(one.ended),
    String(one.lost),
    '',
    String(one.said.length),
  ])
  return [
    '### Outage of the collector, and a burst',
    'Memory: resident before the outage, at its highest, and the highest heap, of the whole process.',
    table(['', 'protocol', '', 'ended', 'lost', 'memory, MiB', 'lines said'], [...rows, ...burstRows]),
  ].join('\n\n')
}

function memoryOf({ rssMibBefore, rssMibMax, heapMibMax }: OutageResult): string {
  return `${rssMibBefore}, ${rssMibMax}, ${heapMibMax}`
}

function answersSection(answers: readonly AnswerResult[]): string {
  const rows = distinct(answers.map(({ answer }) => answer)).flatMap((answer) =>
    distinct(answers.map(({ protocol }) => protocol)).map((protocol) => {
      const here = answers.filter((one) => one.answer === answer && one.protocol === protocol)
      const cell = (variant: VariantName, given: string): string =>
        String(here.find((one) => one.variant === variant && one.given === given)?.arrived ?? '')
      const always = here.find((one) => one.variant === 'throughline-spool' && one.given === 'always')
      return [
        answer,
        protocol,
        ...withoutHandler.map((variant) => `${cell(variant, 'once')} / ${cell(variant, 'always')}`),
        String(here.filter(({ variant }) => variant === 'opentelemetry').flatMap(({ said }) => said).length),
        [...(always?.said ?? []).map(code), code(always?.ledger ?? '')].join('<br>'),
      ]
    }),
  )
  const names = withoutHandler.map((name) => `${titles[name]}: arrived`)
  return [
    '### What the collector answers',
    '100 spans. "a / b": arrived when the first request is answered so, and when every request is. The texts and the ledger are those of Throughline with a spool when every request is answered so.',
    table(
      ['', 'protocol', ...names, 'OpenTelemetry JS: lines said', 'Throughline says, and its ledger'],
      rows,
    ),
  ].join('\n\n')
}

function saidSection({ ends, outages }: ReliabilityRun): string {
  const refused = ends.filter(
    ({ collector, way, protocol }) =>
      collector === 'refused' && way === 'process.exit(3)' && protocol !== 'grpc',
  )
  const rows = [
    ...refused.map(({ variant, said }) => [
      'process.exit(3), collector refuses',
      titles[variant],
      linesOf(said),
    ]),
    ...outages
      .filter(({ protocol }) => protocol !== 'grpc')
      .map(({ variant, said }) => ['outage', titles[variant], linesOf(said)]),
  ]
  return ['### What is said', table(['', '', 'on stderr'], rows)].join('\n\n')
}

function linesOf(said: readonly string[]): string {
  const shown = said.slice(0, 6).map(code)
  if (said.length > shown.length) shown.push(`and ${said.length - shown.length} lines more`)
  return shown.length === 0 ? 'nothing' : shown.join('<br>')
}

/** `lost over HTTP / lost over gRPC` */
function lostOf(ends: readonly EndResult[]): string {
  return (['http/protobuf', 'grpc'] as const)
    .map((protocol) => ends.find((one) => one.protocol === protocol))
    .map((one) => (one === undefined ? '' : String(one.ended - one.arrivedAfterNextStart)))
    .join(' / ')
}

function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  return [row(head), `|${'---|'.repeat(head.length)}`, ...rows.map(row)].join('\n')
}

function row(cells: readonly string[]): string {
  return `| ${cells.join(' | ')} |`
}

function code(text: string): string {
  return text === '' ? '' : `\`${text.replaceAll('|', '\\|').replaceAll('`', "'").slice(0, 300)}\``
}

function distinct<T>(values: readonly T[]): T[] {
  return [...new Set(values)]
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0)
}
