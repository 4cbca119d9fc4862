import type { LoadAverage, MemoryStats, OsInfo } from './results.ts'

export type AgentStateName = 'Ready' | 'Draining' | 'Cordoned' | 'Pending'

export interface Condition {
  readonly type: 'MemoryPressure' | 'HighLoad' | 'DiskPressure'
  readonly status: boolean
  readonly reason: string
  /** When `status` last changed, RFC 3339. */
  readonly last_transition_time: string
}

export interface SubComponent {
  readonly status: string
  readonly address?: string
}

/** `agents.<machine id>` in the registry: what a worker says of itself at every heartbeat. */
export interface AgentInfo {
  readonly machine_id: string
  readonly hostname: string
  /** Of the worker's process. */
  readonly instance: string
  readonly status: 'Ready' | 'NotReady'
  readonly state: AgentStateName
  readonly labels: Readonly<Record<string, string>>
  readonly registered_at: string
  readonly started_at: string
  readonly agent_version: string
  readonly os_info?: OsInfo
  /** `64 days, 11 hours, 20 minutes` */
  readonly uptime?: string
  readonly load_average?: LoadAverage
  readonly memory?: MemoryStats
  readonly conditions: readonly Condition[]
  readonly architecture: string
  readonly kernel_version: string
  readonly fqdn: string
  readonly cpu_count: number
  readonly interfaces: readonly { readonly name: string; readonly address: string }[]
  readonly process: { readonly cpu_percent: number; readonly rss_bytes: number }
  readonly sub_components: Readonly<Record<string, SubComponent>>
  /** Drain, undrain and start, newest last; only `AgentRegistry.get` fills it. */
  readonly timeline?: readonly AgentEvent[]
}

export interface AgentEvent {
  readonly timestamp: string
  readonly event: string
  readonly hostname: string
  readonly message: string
}

/** `controller.<host>` and `nats.<host>` in the registry. */
export interface ComponentInfo {
  readonly type: 'controller' | 'nats'
  readonly hostname: string
  readonly status: string
  readonly version: string
  readonly registered_at: string
  readonly started_at: string
  readonly process: { readonly cpu_percent: number; readonly rss_bytes: number }
  readonly sub_components: Readonly<Record<string, SubComponent>>
}
