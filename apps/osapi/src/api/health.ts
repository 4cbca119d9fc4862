import { formatAge } from '../age.ts'
import type { AgentInfo, ComponentInfo } from '../job/agent-info.ts'
import type { Bus } from '../job/bus.ts'
import type { AgentRegistry, JobClient } from '../job/client.ts'
import type { QueueStatus } from '../job/model.ts'
import type { HealthStatus, RegistryHealth } from './types.ts'

const cacheMs = 15_000
const itemMsMax = 3_000

export interface HealthReporter {
  /** Why the server cannot work, or undefined when it can. */
  unreadiness(): Promise<string | undefined>
  status(): Promise<HealthStatus>
}

export interface HealthParts {
  readonly bus: Pick<Bus, 'nc' | 'jsm' | 'jobs'>
  readonly jobs: Pick<JobClient, 'status'>
  readonly agents: Pick<AgentRegistry, 'list' | 'components'>
  readonly version: string
  readonly tracingEnabled: boolean
  readonly now?: () => number
}

/** Asks NATS, the buckets and the registry; each question may take 3 seconds, the whole answer is kept for 15. */
export function createHealthReporter(parts: HealthParts): HealthReporter {
  const now = parts.now ?? Date.now
  const startedAt = now()
  let cached: { readonly status: Promise<HealthStatus>; readonly until: number } | undefined
  return {
    unreadiness: async () => (await natsError(parts.bus)) ?? (await bucketError(parts.bus)),
    status: () => {
      if (!cached || now() >= cached.until) {
        cached = { status: collect(parts, { now: now(), startedAt }), until: now() + cacheMs }
      }
      return cached.status
    },
  }
}

async function natsError({ nc }: HealthParts['bus']): Promise<string | undefined> {
  if (nc.isClosed()) return 'nats connection is closed'
  return await errorOf(nc.rtt())
}

async function bucketError({ jobs }: HealthParts['bus']): Promise<string | undefined> {
  const error = await errorOf(jobs.status())
  return error && `kv bucket: ${error}`
}

async function collect(
  parts: HealthParts,
  times: { readonly now: number; readonly startedAt: number },
): Promise<HealthStatus> {
  const { bus } = parts
  const [nats, kv, streams, jobs, agents, components] = await Promise.all([
    natsError(bus),
    bucketError(bus),
    item(streamStates(bus)),
    item(parts.jobs.status()),
    item(parts.agents.list()),
    item(parts.agents.components()),
  ])
  return {
    status: nats || kv ? 'degraded' : 'ok',
    version: parts.version,
    uptime: formatUptime((times.now - times.startedAt) / 1000),
    components: {
      nats: nats ? { status: 'error', error: nats } : { status: 'ok' },
      kv: kv ? { status: 'error', error: kv } : { status: 'ok' },
      tracing: { status: parts.tracingEnabled ? 'ok' : 'disabled' },
    },
    ...(bus.nc.info && { nats: { url: bus.nc.getServer(), version: bus.nc.info.version } }),
    ...(streams && streamHealth(streams)),
    ...(jobs && { jobs: jobCounts(jobs) }),
    ...(agents && { agents: agentCounts(agents) }),
    registry: [
      ...(agents ?? []).map((agent) => agentHealth(agent, times.now)),
      ...(components ?? []).map((component) => componentHealth(component, times.now)),
    ],
  }
}

interface StreamState {
  readonly name: string
  readonly messages: number
  readonly bytes: number
  readonly consumers: number
}

async function streamStates({ jsm }: HealthParts['bus']): Promise<StreamState[]> {
  const states: StreamState[] = []
  for await (const { config, state } of jsm.streams.list()) {
    const { messages, bytes, consumer_count: consumers } = state
    states.push({ name: config.name, messages, bytes, consumers })
  }
  return states
}

const bucketPrefix = 'KV_'

function streamHealth(
  all: readonly StreamState[],
): Pick<HealthStatus, 'streams' | 'kv_buckets' | 'consumers'> {
  const buckets = all.filter(({ name }) => name.startsWith(bucketPrefix))
  const streams = all.filter((stream) => !buckets.includes(stream))
  return {
    streams,
    kv_buckets: buckets.map(({ name, messages, bytes }) => ({
      name: name.slice(bucketPrefix.length),
      keys: messages,
      bytes,
    })),
    consumers: { total: streams.reduce((total, { consumers }) => total + consumers, 0) },
  }
}

function jobCounts({
  total_jobs,
  status_counts: counts,
  dlq_count,
}: QueueStatus): NonNullable<HealthStatus['jobs']> {
  return {
    total: total_jobs,
    unprocessed: counts.submitted,
    processing: counts.processing,
    completed: counts.completed,
    failed: counts.failed + counts.partial_failure,
    dlq: dlq_count,
  }
}

function agentCounts(agents: readonly AgentInfo[]): NonNullable<HealthStatus['agents']> {
  return {
    total: agents.length,
    ready: agents.filter((agent) => agent.state === 'Ready').length,
    agents: agents.map(({ hostname, machine_id, state }) => ({ hostname, machine_id, status: state })),
  }
}

function agentHealth(agent: AgentInfo, now: number): RegistryHealth {
  return {
    type: 'agent',
    hostname: agent.hostname,
    status: agent.state,
    conditions: agent.conditions.filter((condition) => condition.status).map((condition) => condition.type),
    ...processHealth(agent, now),
  }
}

function componentHealth(component: ComponentInfo, now: number): RegistryHealth {
  const { type, hostname, status } = component
  return { type, hostname, status, conditions: [], ...processHealth(component, now) }
}

function processHealth(
  entry: Pick<AgentInfo, 'started_at' | 'process' | 'sub_components'>,
  now: number,
): Pick<RegistryHealth, 'age' | 'cpu_percent' | 'mem_bytes' | 'sub_components'> {
  const age = (now - Date.parse(entry.started_at)) / 1000
  return {
    age: Number.isFinite(age) ? formatAge(age) : '-',
    cpu_percent: entry.process.cpu_percent,
    mem_bytes: entry.process.rss_bytes,
    sub_components: entry.sub_components,
  }
}

/** `7h6m`, `6m`, `12s`. */
export function formatUptime(seconds: number): string {
  const total = Math.max(0, Math.floor(seconds))
  const hours = Math.floor(total / 3600)
  const minutes = Math.floor((total % 3600) / 60)
  if (hours > 0) return `${hours}h${minutes}m`
  return minutes > 0 ? `${minutes}m` : `${total}s`
}

async function errorOf(asking: Promise<unknown>): Promise<string | undefined> {
  try {
    await limited(asking)
    return undefined
  } catch (error) {
    return error instanceof Error ? error.message : String(error)
  }
}

/** The answer, or undefined when there is none in time: one slow part must not take the others' place. */
async function item<T>(asking: Promise<T>): Promise<T | undefined> {
  try {
    return await limited(asking)
  } catch {
    return undefined
  }
}

async function limited<T>(asking: Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined
  const limit = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`no answer within ${itemMsMax} ms`)), itemMsMax)
  })
  try {
    return await Promise.race([asking, limit])
  } finally {
    clearTimeout(timer)
  }
}
