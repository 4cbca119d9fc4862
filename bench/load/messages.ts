// What the processes of one run say to each other over IPC.

export interface LoadRequest {
  readonly port: number
  readonly durationMs: number
  readonly connectionCount: number
}

export interface LoadResult {
  readonly requestCount: number
  readonly errorCount: number
  readonly durationMs: number
  readonly latencyMsP50: number
  readonly latencyMsP99: number
  /** Share of one core that the load program itself used: near 1, the load and not the server was the limit. */
  readonly loadCpuShare: number
}

export interface ServerUsage {
  readonly cpuMs: number
  readonly rssBytes: number
}

export interface SinkCount {
  readonly spanCount: number
  readonly bodyCount: number
}

export const natsScenarios = ['request', 'consume'] as const

export interface NatsRequest {
  readonly scenario: (typeof natsScenarios)[number]
  readonly durationMs: number
}

export interface NatsResult {
  readonly count: number
  readonly durationMs: number
  readonly cpuMs: number
}
