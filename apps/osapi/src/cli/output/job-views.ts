import type { JobCreated, JobDetail, JobList, JobStatus, TimelineEvent } from '../../api/types.ts'
import { formatMinute } from './format.ts'
import { indented, pairLines, tableLines } from './table.ts'

export function jobCreatedLines(job: JobCreated): string[] {
  return ['', ...pairLines(['Job ID', job.job_id], ['Status', job.status])]
}

export function jobDeletedLines(jobId: string): string[] {
  return ['', ...pairLines(['Job ID', jobId], ['Status', 'Deleted'])]
}

export function jobDetailLines(job: JobDetail): string[] {
  return [
    '',
    ...pairLines(['Job ID', job.id], ['Status', job.status]),
    ...pairLines(['Hostname', job.hostname]),
    ...pairLines(['Created', job.created], ['Updated At', job.updated_at]),
    ...pairLines(['Error', job.error]),
    ...section('Job Request:', job.operation && jsonLines(job.operation)),
    ...section('Agent Responses:', responseTable(job)),
    ...section('Agent States:', stateTable(job)),
    ...section('Timeline:', job.timeline && timelineTable(job.timeline)),
    ...section(
      'Job Result:',
      job.result === undefined || job.result === null ? undefined : jsonLines(job.result),
    ),
  ]
}

function responseTable(job: JobDetail): string[] | undefined {
  const rows = Object.entries(job.responses ?? {}).map(([host, response]) => [
    response.hostname || host,
    response.status,
    response.data === undefined || response.data === null ? '' : JSON.stringify(response.data),
    response.error,
  ])
  return rows.length > 0 ? tableLines(['hostname', 'status', 'data', 'error'], rows) : undefined
}

function stateTable(job: JobDetail): string[] | undefined {
  const rows = Object.entries(job.agent_states ?? {}).map(([host, state]) => [
    host,
    state.status,
    state.duration,
    state.error,
  ])
  return rows.length > 0 ? tableLines(['hostname', 'status', 'duration', 'error'], rows) : undefined
}

export function timelineTable(events: readonly TimelineEvent[]): string[] | undefined {
  const rows = events.map((event) => [
    event.timestamp,
    event.event,
    event.hostname,
    event.message,
    event.error,
  ])
  const headers = ['timestamp', 'event', 'hostname', 'message']
  if (rows.length === 0) return undefined
  return tableLines(events.some((event) => event.error) ? [...headers, 'error'] : headers, rows)
}

export function section(title: string, lines: readonly string[] | undefined): string[] {
  return lines && lines.length > 0 ? ['', indented(title), ...lines] : []
}

function jsonLines(value: unknown): string[] {
  return JSON.stringify(value, undefined, 2).split('\n').map(indented)
}

export interface JobListFilter {
  readonly status?: string | undefined
  readonly limit: number
  readonly offset: number
}

export function jobListLines(list: JobList, filter: JobListFilter): string[] {
  const { status, limit, offset } = filter
  const counts = list.status_counts
  const shown = status === undefined ? 'All jobs' : `${status} (${list.items.length})`
  const rows = list.items.map((job) => [
    job.id,
    job.status,
    formatMinute(job.created),
    job.target ?? '-',
    job.operation?.type,
  ])
  return [
    '',
    ...pairLines(['Total', list.total_items], ['Showing', shown]),
    ...pairLines(
      ['Submitted', sum(counts, ['submitted', 'unprocessed'])],
      ['Completed', sum(counts, ['completed'])],
      ['Failed', sum(counts, ['failed'])],
      ['Partial', sum(counts, ['partial_failure'])],
    ),
    ...pairLines([
      'Filter',
      [status && `status ${status}`, `limit ${limit}`, offset > 0 && `offset ${offset}`]
        .filter(Boolean)
        .join(', '),
    ]),
    ...(rows.length > 0
      ? ['', ...tableLines(['job id', 'status', 'created', 'target', 'operation'], rows)]
      : []),
  ]
}

/** The `--json` form of `job list`, which says what was asked beside what was found. */
export function jobListJson(list: JobList, filter: JobListFilter): unknown {
  return {
    total_jobs: list.total_items,
    displayed_jobs: list.items.length,
    status_counts: list.status_counts,
    filter_applied: filter.status ?? '',
    limit_applied: filter.limit,
    offset_applied: filter.offset,
    jobs: list.items,
  }
}

export function jobStatusLines(status: JobStatus): string[] {
  const counts = status.status_counts
  const rows: [string, number][] = [
    ['Total', status.total_jobs],
    ['Unprocessed', sum(counts, ['submitted', 'unprocessed'])],
    ['Processing', sum(counts, ['processing'])],
    ['Completed', sum(counts, ['completed'])],
    ['Failed', sum(counts, ['failed'])],
  ]
  for (const name of ['partial_failure', 'skipped']) {
    if (counts[name]) rows.push([name === 'skipped' ? 'Skipped' : 'Partial', counts[name]])
  }
  if (status.dlq_count > 0) rows.push(['Dead Letter Queue', status.dlq_count])
  const operations = Object.entries(status.operation_counts).toSorted(([a], [b]) => a.localeCompare(b))
  return [
    '',
    ...tableLines(['status', 'count'], rows),
    ...(operations.length > 0 ? ['', ...tableLines(['operation', 'count'], operations)] : []),
  ]
}

function sum(counts: Readonly<Record<string, number>>, names: readonly string[]): number {
  return names.reduce((total, name) => total + (counts[name] ?? 0), 0)
}
