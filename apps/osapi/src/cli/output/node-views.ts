import type {
  CommandResult,
  Disk,
  DiskResult,
  DnsResult,
  HostResult,
  LoadResult,
  Memory,
  MemoryResult,
  NodeStatusResult,
  OsResult,
  PingResult,
  Results,
  UptimeResult,
} from '../../api/types.ts'
import { formatBytes, formatBytesWhole, formatPercent } from './format.ts'
import { detailLines, jobIdLines, outcomeOf, type ResultView, resultLines, summary } from './results.ts'
import { indented, pairLines, tableLines } from './table.ts'

export const plainView: ResultView<HostResult> = { headers: [], cells: () => [] }

export const changedView: ResultView<HostResult> = {
  headers: ['changed'],
  cells: (row) => (row.changed === undefined ? [] : [[row.changed]]),
}

export const diskView: ResultView<DiskResult> = {
  headers: ['mount', 'total', 'used', 'usage'],
  cells: (row) =>
    (row.disks ?? []).map((disk) => [
      disk.name,
      formatBytes(disk.total),
      formatBytes(disk.used),
      formatPercent(disk.used, disk.total),
    ]),
}

export const memoryView: ResultView<MemoryResult> = {
  headers: ['total', 'used', 'free', 'usage'],
  cells: ({ memory }) =>
    memory
      ? [
          [
            formatBytes(memory.total),
            formatBytes(memory.used),
            formatBytes(memory.free),
            formatPercent(memory.used, memory.total),
          ],
        ]
      : [],
}

export const loadView: ResultView<LoadResult> = {
  headers: ['load (1m)', 'load (5m)', 'load (15m)'],
  cells: ({ load_average: load }) =>
    load ? [[load['1min'].toFixed(2), load['5min'].toFixed(2), load['15min'].toFixed(2)]] : [],
}

export const uptimeView: ResultView<UptimeResult> = {
  headers: ['uptime'],
  cells: (row) => (row.uptime === undefined ? [] : [[row.uptime]]),
}

export const osView: ResultView<OsResult> = {
  headers: ['distribution', 'version'],
  cells: ({ os_info: os }) => (os ? [[os.distribution, os.version]] : []),
}

export const dnsView: ResultView<DnsResult> = {
  headers: ['servers', 'search domains'],
  cells: (row) => (isSuccess(row) ? [[listText(row.servers), listText(row.search_domains)]] : []),
}

export const pingView: ResultView<PingResult> = {
  headers: ['avg', 'min', 'max', 'loss'],
  cells: (row) =>
    isSuccess(row) ? [[row.avg_rtt, row.min_rtt, row.max_rtt, row.packet_loss?.toFixed(6)]] : [],
}

export const commandView: ResultView<CommandResult> = {
  headers: ['exit', 'stdout'],
  cells: (row) => (row.exit_code === undefined ? [] : [[row.exit_code, row.stdout]]),
}

const statusView: ResultView<NodeStatusResult> = {
  headers: ['uptime', 'load (1m)', 'mem'],
  cells: (row) => [[row.uptime, row.load_average?.['1min'].toFixed(2), memoryCell(row.memory)]],
}

/** One host in full, several (or a broadcast that one host answered) as a table. */
export function nodeStatusLines(answer: Results<NodeStatusResult>, isBroadcast: boolean): string[] {
  const [row] = answer.results
  if (!row || isBroadcast || answer.results.length > 1 || !isSuccess(row))
    return resultLines(answer, statusView)
  return [
    ...jobIdLines(answer.job_id),
    ...pairLines(
      ['Hostname', row.hostname],
      ['OS', row.os_info && `${row.os_info.distribution} ${row.os_info.version}`],
    ),
    ...pairLines(['Uptime', row.uptime]),
    ...pairLines(['Load', loadText(row)]),
    ...pairLines(['Memory', row.memory && memoryText(row.memory)]),
    ...diskLines(row.disks ?? []),
    ...partErrorLines(row.errors ?? {}),
    '',
    indented(summary(answer.results)),
    ...detailLines(answer.results),
  ]
}

function diskLines(disks: readonly Disk[]): string[] {
  if (disks.length === 0) return []
  const rows = disks.map((disk) => [
    disk.name,
    formatBytesWhole(disk.total),
    formatBytesWhole(disk.used),
    formatBytesWhole(disk.free),
  ])
  return ['', indented('Disks:'), ...tableLines(['disk name', 'total', 'used', 'free'], rows)]
}

function partErrorLines(errors: Readonly<Record<string, string>>): string[] {
  const parts = Object.entries(errors)
  return parts.length === 0 ? [] : ['', indented('Not read:'), ...parts.flatMap((part) => pairLines(part))]
}

function loadText({ load_average: load }: NodeStatusResult): string | undefined {
  if (!load) return undefined
  return `${load['1min'].toFixed(2)}, ${load['5min'].toFixed(2)}, ${load['15min'].toFixed(2)} (1m, 5m, 15m)`
}

function memoryText(memory: Memory): string {
  return `${formatBytesWhole(memory.used)} used / ${formatBytesWhole(memory.total)} total / ${formatBytesWhole(memory.free)} free`
}

function memoryCell(memory: Memory | undefined): string | undefined {
  return memory && `${formatBytesWhole(memory.used)} / ${formatBytesWhole(memory.total)}`
}

function listText(items: readonly string[] | undefined): string {
  return items && items.length > 0 ? items.join(', ') : 'None'
}

function isSuccess(row: HostResult): boolean {
  return outcomeOf(row) === 'ok' || outcomeOf(row) === 'changed'
}
