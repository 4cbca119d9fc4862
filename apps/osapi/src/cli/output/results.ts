import type { HostResult, Results } from '../../api/types.ts'
import { formatCell } from './format.ts'
import { alignLine, type Cell, indented, tableLines } from './table.ts'

/** What one command shows of each host's result, beside HOSTNAME and STATUS. */
export interface ResultView<Row extends HostResult> {
  readonly headers: readonly string[]
  /** One list of cells per line; a host without any line still gets one with its status. */
  readonly cells: (row: Row) => readonly (readonly Cell[])[]
}

type Outcome = 'ok' | 'changed' | 'skip' | 'err'

export function outcomeOf(row: HostResult): Outcome {
  if (row.status === 'skipped') return 'skip'
  if (row.error || row.status === 'failed') return 'err'
  return row.changed === true ? 'changed' : 'ok'
}

/** Job id, table, summary and the details of hosts that failed or skipped. */
export function resultLines<Row extends HostResult>(answer: Results<Row>, view: ResultView<Row>): string[] {
  const rows = answer.results.flatMap((row) => {
    const start = [row.hostname, outcomeOf(row)]
    const lines = view.cells(row).map((cells) => [...start, ...cells])
    return lines.length > 0 ? lines : [start]
  })
  return [
    ...jobIdLines(answer.job_id),
    ...tableLines(['hostname', 'status', ...view.headers], rows),
    '',
    indented(summary(answer.results)),
    ...detailLines(answer.results),
  ]
}

export function jobIdLines(jobId: string): string[] {
  return ['', indented(`Job ID: ${jobId}`), '']
}

/** `2 hosts: 1 ok, 1 skipped`. */
export function summary(rows: readonly HostResult[]): string {
  const counts: Record<Outcome, number> = { ok: 0, changed: 0, skip: 0, err: 0 }
  for (const row of rows) counts[outcomeOf(row)]++
  const parts = [
    [counts.ok, 'ok'],
    [counts.changed, 'changed'],
    [counts.skip, 'skipped'],
    [counts.err, 'failed'],
  ] as const
  const shown = parts.filter(([count]) => count > 0).map(([count, name]) => `${count} ${name}`)
  const hosts = `${rows.length} ${rows.length === 1 ? 'host' : 'hosts'}`
  return shown.length > 0 ? `${hosts}: ${shown.join(', ')}` : hosts
}

export function detailLines(rows: readonly HostResult[]): string[] {
  const troubled = rows.filter((row) => ['err', 'skip'].includes(outcomeOf(row)))
  if (troubled.length === 0) return []
  // As wide as the table's first column, so that the two read as one.
  const width = Math.max('HOSTNAME'.length, ...rows.map((row) => formatCell(row.hostname).length))
  const details = troubled.map((row) =>
    alignLine([formatCell(row.hostname), formatCell(row.error ?? fallbackText(row))], [width, 0]),
  )
  return ['', indented('Details:'), ...details]
}

function fallbackText(row: HostResult): string {
  return row.status === 'skipped' ? 'unsupported platform' : 'no reason given'
}
