import type { Bus } from './bus.ts'
import { type JobClient, JobError } from './client.ts'
import { type JobDefinition, type JobStatus, jobStatuses } from './model.ts'
import { type EventKey, jobDetail, jobStatus } from './state.ts'
import type { JobStore } from './store.ts'

type Queries = Pick<JobClient, 'get' | 'list' | 'delete' | 'status' | 'dlqCount'>

/** What is asked of the stored jobs. Ids and states come from key names; values are read for what is shown only. */
export function createJobQueries({ bus, store }: { readonly bus: Bus; readonly store: JobStore }): Queries {
  const dlqCount = async () => (await bus.jsm.streams.info(bus.names.dlqStream)).state.messages
  return {
    get: async (id) => {
      const record = await store.record(id)
      if (record === undefined) throw new JobError('job_not_found', `job not found: ${id}`)
      return jobDetail(record)
    },
    list: async ({ status, limit, offset }) => {
      const jobs = await overview(store)
      const matching = jobs.filter((job) => status === undefined || job.status === status)
      const page = matching.slice(offset, offset + limit)
      const records = await Promise.all(page.map(({ id }) => store.record(id)))
      return {
        total_items: matching.length,
        status_counts: countStatuses(jobs),
        // A job may have been deleted since its name was read.
        items: records.filter((record) => record !== undefined).map(jobDetail),
      }
    },
    delete: async (id) => {
      if (!(await store.remove(id))) throw new JobError('job_not_found', `job not found: ${id}`)
    },
    status: async () => {
      const [jobs, operations, dlq] = await Promise.all([overview(store), operationCounts(bus), dlqCount()])
      return {
        total_jobs: jobs.length,
        status_counts: countStatuses(jobs),
        operation_counts: operations,
        dlq_count: dlq,
      }
    },
    dlqCount,
  }
}

interface Overview {
  readonly id: string
  readonly status: JobStatus
}

/** All jobs, newest first. */
async function overview(store: JobStore): Promise<readonly Overview[]> {
  const [ids, keys] = await Promise.all([store.ids(), store.eventKeys()])
  const events = new Map<string, EventKey[]>(ids.map((id) => [id, []]))
  for (const key of keys) events.get(key.id)?.push(key)
  return [...events]
    .map(([id, own]) => ({ id, status: jobStatus(own), createdAt: earliest(own) }))
    .toSorted((a, b) => (a.createdAt < b.createdAt ? 1 : -1))
}

function earliest(events: readonly EventKey[]): bigint {
  return events.reduce((first, { unixNano }) => (first === 0n || unixNano < first ? unixNano : first), 0n)
}

function countStatuses(jobs: readonly Overview[]): Readonly<Record<JobStatus, number>> {
  const counts = Object.fromEntries(jobStatuses.map((status) => [status, 0])) as Record<JobStatus, number>
  for (const { status } of jobs) counts[status] += 1
  return counts
}

async function operationCounts(bus: Bus): Promise<Readonly<Record<string, number>>> {
  const counts: Record<string, number> = {}
  const { names, jsm } = bus
  const { state } = await jsm.streams.info(`KV_${names.jobsBucket}`, {
    subjects_filter: `$KV.${names.jobsBucket}.jobs.*`,
  })
  if (Object.keys(state.subjects ?? {}).length === 0) return counts
  const entries = await bus.jobs.watch({ key: 'jobs.*', ignoreDeletes: true })
  for await (const entry of entries) {
    if (entry.operation === 'PUT') {
      const type = operationType(entry.string())
      counts[type] = (counts[type] ?? 0) + 1
    }
    if (entry.delta === 0) break
  }
  return counts
}

function operationType(text: string): string {
  try {
    const { operation } = JSON.parse(text) as Partial<JobDefinition>
    return operation?.type ?? 'unknown'
  } catch {
    return 'unknown'
  }
}
