import { labels, loadAverage, memory, osInfo, pageLimit, pageOffset, timelineEvent } from './common.ts'
import {
  boolean,
  count,
  input,
  type JsonSchema,
  list,
  mapOf,
  number,
  object,
  oneOf,
  string,
  time,
  uuid,
} from './schema.ts'

const subComponents: JsonSchema = mapOf(object({ status: string, 'address?': string }))

export const agentInfo: JsonSchema = object({
  machine_id: string,
  hostname: string,
  status: string,
  'state?': string,
  'labels?': labels,
  'started_at?': time,
  'registered_at?': time,
  'last_seen?': time,
  'agent_version?': string,
  'os_info?': osInfo,
  'uptime?': string,
  'load_average?': loadAverage,
  'memory?': memory,
  'conditions?': list(
    object({ type: string, status: boolean, 'reason?': string, last_transition_time: string }),
  ),
  'architecture?': string,
  'kernel_version?': string,
  'fqdn?': string,
  'cpu_count?': count,
  'interfaces?': list(object({ name: string, address: string })),
  'process?': object({ cpu_percent: number, rss_bytes: number }),
  'sub_components?': subComponents,
  'timeline?': list(timelineEvent),
})

export const agentList: JsonSchema = object({ agents: list(agentInfo), total: count })
export const message: JsonSchema = object({ message: string })

export const auditEntry: JsonSchema = object({
  id: uuid,
  timestamp: time,
  user: string,
  roles: list(string),
  method: string,
  path: string,
  'operation_id?': string,
  source_ip: string,
  response_code: count,
  duration_ms: { type: 'number', minimum: 0 },
  'trace_id?': { type: 'string', pattern: '^[0-9a-f]{32}$' },
})

export const auditList: JsonSchema = object({ total_items: count, items: list(auditEntry) })
export const auditAnswer: JsonSchema = object({ entry: auditEntry })
export const auditQuery: JsonSchema = input({ 'limit?': pageLimit(20), 'offset?': pageOffset })

export const health: JsonSchema = object({ status: oneOf('ok') })
export const ready: JsonSchema = object({ status: oneOf('ready') })
export const notReady: JsonSchema = object({ status: oneOf('not_ready'), error: string })

export const healthStatus: JsonSchema = object({
  status: oneOf('ok', 'degraded'),
  version: string,
  uptime: string,
  components: mapOf(object({ status: string, 'error?': string })),
  'nats?': object({ url: string, version: string }),
  'streams?': list(object({ name: string, messages: count, bytes: count, consumers: count })),
  'kv_buckets?': list(object({ name: string, keys: count, bytes: count })),
  'jobs?': object({
    total: count,
    unprocessed: count,
    processing: count,
    completed: count,
    failed: count,
    dlq: count,
  }),
  'agents?': object({
    total: count,
    ready: count,
    agents: list(object({ hostname: string, machine_id: string, status: string })),
  }),
  'consumers?': object({ total: count }),
  'registry?': list(
    object({
      type: string,
      hostname: string,
      status: string,
      conditions: list(string),
      age: string,
      'cpu_percent?': number,
      'mem_bytes?': number,
      'sub_components?': subComponents,
    }),
  ),
})

export const versionInfo: JsonSchema = object({
  version: string,
  commit: string,
  date: string,
  node: string,
  platform: string,
})
