import { formatGoDuration } from '../config/duration.ts'
import type {
  AgentState,
  JobDefinition,
  JobDetail,
  JobEvent,
  JobEventName,
  JobResponse,
  JobStatus,
  TimelineEntry,
} from './model.ts'
import { parseSubject } from './subjects.ts'

/** The parts of `status.<id>.<event>.<host>.<unixnano>`. */
export interface EventKey {
  readonly id: string
  readonly event: string
  readonly host: string
  readonly unixNano: bigint
}

export function parseEventKey(key: string): EventKey | undefined {
  const [word, id, event, host, nano, ...rest] = key.split('.')
  if (word !== 'status' || !id || !event || !host || !nano || rest.length > 0) return undefined
  return /^\d+$/.test(nano) ? { id, event, host, unixNano: BigInt(nano) } : undefined
}

/** Whichever is higher is the host's state, since the order of keys is not to be trusted. */
const priorities: Readonly<Record<string, number>> = {
  submitted: 0,
  acknowledged: 1,
  started: 2,
  failed: 3,
  skipped: 3,
  completed: 4,
  retried: 4,
}

/** The state of each worker that has said something of a job, by host. */
export function hostStates(events: readonly EventKey[]): Map<string, JobEventName> {
  const states = new Map<string, JobEventName>()
  for (const { event, host } of events) {
    if (host === apiHost || !(event in priorities)) continue
    const before = states.get(host)
    if (before === undefined || (priorities[event] ?? 0) > (priorities[before] ?? 0)) {
      states.set(host, event as JobEventName)
    }
  }
  return states
}

/** The host of the API's own events; its word is no worker's. */
export const apiHost = '_api'

export function jobStatus(events: readonly EventKey[]): JobStatus {
  const states = new Set(hostStates(events).values())
  if (states.size === 0 || (states.size === 1 && states.has('submitted'))) return 'submitted'
  if (states.has('acknowledged') || states.has('started')) return 'processing'
  if (states.has('failed')) return states.has('completed') ? 'partial_failure' : 'failed'
  return states.has('skipped') && states.size === 1 ? 'skipped' : 'completed'
}

export interface JobRecord {
  readonly definition: JobDefinition
  readonly events: readonly JobEvent[]
  readonly eventKeys: readonly EventKey[]
  /** By the host part of their keys. */
  readonly responses: readonly (readonly [host: string, response: JobResponse])[]
}

/** What `GET /job/{id}` answers. */
export function jobDetail({ definition, events, eventKeys, responses }: JobRecord): JobDetail {
  const sorted = events.toSorted((a, b) => a.unix_nano - b.unix_nano)
  const status = jobStatus(eventKeys)
  const [first] = responses
  const only = responses.length === 1 ? first?.[1] : undefined
  const failure = responses.find(([, response]) => response.error !== undefined)?.[1].error
  const error = failure ?? sorted.map((event) => errorOf(event)).find((text) => text !== undefined)
  const updated = sorted.at(-1)?.timestamp
  return {
    id: definition.id,
    status,
    created: definition.created,
    operation: definition.operation,
    ...targetOf(definition),
    ...(only?.data === undefined ? {} : { result: only.data }),
    ...(only?.changed === undefined ? {} : { changed: only.changed }),
    ...(error === undefined || status === 'completed' ? {} : { error }),
    ...(only === undefined ? {} : { hostname: only.hostname }),
    ...(updated === undefined ? {} : { updated_at: updated }),
    ...(responses.length === 0 ? {} : { responses: byHostname(responses) }),
    ...agentStates(sorted, eventKeys),
    timeline: sorted.map(timelineEntry),
  }
}

/** The target stands in the subject, behind whatever namespace. */
function targetOf({ subject }: JobDefinition): { readonly target?: string } {
  const parsed = parseSubject(subject, subject.slice(0, Math.max(0, subject.indexOf('jobs.'))))
  return parsed === undefined ? {} : { target: parsed.target }
}

/** Two workers may have one hostname: the second one's machine id goes with it. */
function byHostname(
  responses: JobRecord['responses'],
): Readonly<Record<string, Omit<JobResponse, 'job_id' | 'timestamp'>>> {
  const found: Record<string, Omit<JobResponse, 'job_id' | 'timestamp'>> = {}
  for (const [host, { job_id: _, timestamp: __, ...response }] of responses) {
    const name = response.hostname in found ? `${response.hostname} (${host})` : response.hostname
    found[name] = response
  }
  return found
}

function agentStates(
  events: readonly JobEvent[],
  keys: readonly EventKey[],
): { agent_states?: Readonly<Record<string, AgentState>> } {
  const states: Record<string, AgentState> = {}
  for (const [host, status] of hostStates(keys)) {
    const own = keys.filter((key) => key.host === host)
    const times = own.map((key) => key.unixNano).toSorted((a, b) => Number(a - b))
    const ends = new Set(times.map(Number))
    const last = events.findLast((event) => event.event === status && ends.has(event.unix_nano))
    const error = last === undefined ? undefined : errorOf(last)
    const duration = formatGoDuration(Number((times.at(-1) ?? 0n) - (times[0] ?? 0n)))
    const name = last?.hostname ?? host
    states[name in states ? `${name} (${host})` : name] = {
      status,
      ...(error === undefined ? {} : { error }),
      duration,
    }
  }
  return Object.keys(states).length === 0 ? {} : { agent_states: states }
}

function timelineEntry(event: JobEvent): TimelineEntry {
  const error = errorOf(event)
  return {
    timestamp: event.timestamp,
    event: event.event,
    hostname: event.hostname,
    message: messageOf(event),
    ...(error === undefined ? {} : { error }),
  }
}

function messageOf({ event, hostname, data }: JobEvent): string {
  switch (event) {
    case 'submitted':
      return 'Job submitted to queue'
    case 'acknowledged':
      return `Job acknowledged by agent ${hostname}`
    case 'started':
      return `Job processing started on ${hostname}`
    case 'completed':
      return `Job completed successfully on ${hostname}`
    case 'failed':
      return `Job failed on ${hostname}`
    case 'skipped':
      return `Job skipped on ${hostname} (unsupported OS family)`
    case 'retried':
      return `Job retried as ${String(data['new_job_id'])}`
  }
}

function errorOf(event: JobEvent): string | undefined {
  const error = event.data['error']
  return typeof error === 'string' ? error : undefined
}
