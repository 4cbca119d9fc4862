// What the operations take and give: the `data` of operations and responses, the same names as in the API's answers.

export interface LoadAverage {
  readonly '1min': number
  readonly '5min': number
  readonly '15min': number
}

/** Bytes. `used` is total - available. */
export interface MemoryStats {
  readonly total: number
  readonly free: number
  readonly used: number
  readonly available: number
  readonly cached: number
}

/** Bytes. `name` is the mount point. */
export interface DiskUsage {
  readonly name: string
  readonly total: number
  readonly used: number
  readonly free: number
}

export interface OsInfo {
  readonly distribution: string
  readonly version: string
}

export interface HostnameResult {
  readonly hostname: string
  readonly labels?: Readonly<Record<string, string>>
  readonly changed: boolean
}

/** Parts that could not be read are left out and named in `errors`. */
export interface NodeStatusResult {
  readonly hostname?: string
  readonly os_info?: OsInfo
  readonly uptime?: string
  readonly disks?: readonly DiskUsage[]
  readonly memory?: MemoryStats
  readonly load_average?: LoadAverage
  readonly errors?: Readonly<Record<string, string>>
  readonly changed: false
}

export interface UptimeResult {
  readonly uptime_seconds: number
  /** `64 days, 11 hours, 20 minutes` */
  readonly uptime: string
  readonly changed: false
}

export interface DiskResult {
  readonly disks: readonly DiskUsage[]
}

export interface MemoryResult {
  readonly memory: MemoryStats
}

export interface LoadResult {
  readonly load_average: LoadAverage
}

export interface OsResult {
  readonly os_info: OsInfo
}

export interface DnsResult {
  readonly servers: readonly string[]
  readonly search_domains: readonly string[]
}

export interface ChangeResult {
  readonly success: boolean
  readonly changed: boolean
  readonly message: string
}

/** Round trips as Go duration texts (`19.707031ms`), loss in per cent. */
export interface PingResult {
  readonly packets_sent: number
  readonly packets_received: number
  readonly packet_loss: number
  readonly min_rtt: string
  readonly avg_rtt: string
  readonly max_rtt: string
}

export interface CommandResult {
  readonly stdout: string
  readonly stderr: string
  readonly exit_code: number
  readonly duration_ms: number
  readonly changed: true
  /** Present and true where the output was longer than is kept. */
  readonly truncated?: true
}

/** A row of `results` in the API's answers; the data's fields stand beside these. */
export interface ResultItem {
  readonly hostname: string
  readonly status: 'ok' | 'failed' | 'skipped'
  readonly changed?: boolean
  readonly error?: string
  readonly [field: string]: unknown
}
