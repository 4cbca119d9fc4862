// What the API answers, field by field as on the wire. The schemas in schemas/ say the same to validators and to the
// OpenAPI document; these types say it to the client and to the commands, which must not load a validator to run.

import type { AuditEntry } from '../audit/store.ts'

export type { AuditEntry }

export type ResultStatus = 'ok' | 'failed' | 'skipped'

export interface HostResult {
  readonly hostname: string
  readonly status: ResultStatus
  readonly changed?: boolean
  readonly error?: string
}

/** The answer of each domain operation: one row per worker that was asked. */
export interface Results<Row extends HostResult = HostResult> {
  readonly job_id: string
  readonly results: readonly Row[]
}

export interface Memory {
  readonly total: number
  readonly free: number
  readonly used: number
}

export interface LoadAverage {
  readonly '1min': number
  readonly '5min': number
  readonly '15min': number
}

export interface Disk {
  readonly name: string
  readonly total: number
  readonly used: number
  readonly free: number
}

export interface OsInfo {
  readonly distribution: string
  readonly version: string
}

export interface HostnameResult extends HostResult {
  readonly labels?: Readonly<Record<string, string>>
}

export interface NodeStatusResult extends HostResult {
  readonly uptime?: string
  readonly load_average?: LoadAverage
  readonly memory?: Memory
  readonly disks?: readonly Disk[]
  readonly os_info?: OsInfo
  /** The parts that could not be read; the others are valid. */
  readonly errors?: Readonly<Record<string, string>>
}

export interface DiskResult extends HostResult {
  readonly disks?: readonly Disk[]
}
export interface MemoryResult extends HostResult {
  readonly memory?: Memory
}
export interface LoadResult extends HostResult {
  readonly load_average?: LoadAverage
}
export interface UptimeResult extends HostResult {
  readonly uptime?: string
}
export interface OsResult extends HostResult {
  readonly os_info?: OsInfo
}

export interface DnsResult extends HostResult {
  readonly servers?: readonly string[]
  readonly search_domains?: readonly string[]
}

export interface PingResult extends HostResult {
  readonly packets_sent?: number
  readonly packets_received?: number
  readonly packet_loss?: number
  /** Go duration text, e.g. `19.707031ms`. */
  readonly min_rtt?: string
  readonly avg_rtt?: string
  readonly max_rtt?: string
}

export interface CommandResult extends HostResult {
  readonly stdout?: string
  readonly stderr?: string
  readonly exit_code?: number
  readonly duration_ms?: number
}

export interface ErrorBody {
  readonly error: string
  readonly details?: string
  readonly code?: number
}

export interface JobOperation {
  readonly type: string
  readonly data?: unknown
}

export interface JobCreated {
  readonly job_id: string
  readonly status: 'created' | 'unprocessed'
  readonly revision: number
  readonly timestamp: string
}

export interface TimelineEvent {
  readonly timestamp: string
  readonly event: string
  readonly hostname: string
  readonly message: string
  readonly error?: string
}

export interface JobResponse {
  readonly status: string
  readonly hostname: string
  readonly data?: unknown
  readonly changed?: boolean
  readonly error?: string
}

export interface AgentJobState {
  readonly status: string
  readonly error?: string
  readonly duration?: string
}

export interface JobDetail {
  readonly id: string
  readonly status: string
  readonly created: string
  readonly operation?: JobOperation
  readonly target?: string
  readonly result?: unknown
  readonly changed?: boolean
  readonly error?: string
  readonly hostname?: string
  readonly updated_at?: string
  readonly responses?: Readonly<Record<string, JobResponse>>
  readonly agent_states?: Readonly<Record<string, AgentJobState>>
  readonly timeline?: readonly TimelineEvent[]
}

export interface JobList {
  readonly total_items: number
  readonly status_counts: Readonly<Record<string, number>>
  readonly items: readonly JobDetail[]
}

export interface JobStatus {
  readonly total_jobs: number
  readonly status_counts: Readonly<Record<string, number>>
  readonly operation_counts: Readonly<Record<string, number>>
  readonly dlq_count: number
}

export interface Condition {
  readonly type: string
  readonly status: boolean
  readonly reason?: string
  readonly last_transition_time: string
}

export interface NetworkInterface {
  readonly name: string
  readonly address: string
}

export interface AgentInfo {
  readonly machine_id: string
  readonly hostname: string
  readonly status: string
  readonly state?: string
  readonly labels?: Readonly<Record<string, string>>
  readonly started_at?: string
  readonly registered_at?: string
  readonly last_seen?: string
  readonly agent_version?: string
  readonly os_info?: OsInfo
  readonly uptime?: string
  readonly load_average?: LoadAverage
  readonly memory?: Memory
  readonly conditions?: readonly Condition[]
  readonly architecture?: string
  readonly kernel_version?: string
  readonly fqdn?: string
  readonly cpu_count?: number
  readonly interfaces?: readonly NetworkInterface[]
  readonly timeline?: readonly TimelineEvent[]
}

export interface AgentList {
  readonly agents: readonly AgentInfo[]
  readonly total: number
}

export interface AuditList {
  readonly total_items: number
  readonly items: readonly AuditEntry[]
}

export interface ComponentHealth {
  readonly status: string
  readonly error?: string
}

export interface SubComponent {
  readonly status: string
  readonly address?: string
}

export interface RegistryHealth {
  readonly type: string
  readonly hostname: string
  readonly status: string
  readonly conditions: readonly string[]
  readonly age: string
  readonly cpu_percent?: number
  readonly mem_bytes?: number
  readonly sub_components?: Readonly<Record<string, SubComponent>>
}

export interface HealthStatus {
  readonly status: 'ok' | 'degraded'
  readonly version: string
  readonly uptime: string
  readonly components: Readonly<Record<string, ComponentHealth>>
  readonly nats?: { readonly url: string; readonly version: string }
  readonly streams?: readonly {
    readonly name: string
    readonly messages: number
    readonly bytes: number
    readonly consumers: number
  }[]
  readonly kv_buckets?: readonly { readonly name: string; readonly keys: number; readonly bytes: number }[]
  readonly jobs?: {
    readonly total: number
    readonly unprocessed: number
    readonly processing: number
    readonly completed: number
    readonly failed: number
    readonly dlq: number
  }
  readonly agents?: {
    readonly total: number
    readonly ready: number
    readonly agents: readonly {
      readonly hostname: string
      readonly machine_id: string
      readonly status: string
    }[]
  }
  readonly consumers?: { readonly total: number }
  readonly registry?: readonly RegistryHealth[]
}

export interface Version {
  readonly version: string
  readonly commit: string
  readonly date: string
  readonly node: string
  readonly platform: string
}
