// The shapes that stand in the KV buckets and that the API and the workers exchange. Times are RFC 3339 texts.

/** What a job does: `node.hostname.get` with its input. */
export interface Operation {
  readonly type: string
  readonly data?: unknown
}

/** `jobs.<id>`: written once by the API, never rewritten. */
export interface JobDefinition {
  readonly id: string
  readonly status: 'unprocessed'
  readonly created: string
  readonly subject: string
  readonly operation: Operation
}

export type JobEventName =
  | 'submitted'
  | 'acknowledged'
  | 'started'
  | 'completed'
  | 'failed'
  | 'skipped'
  | 'retried'

/** `status.<id>.<event>.<host>.<unixnano>`: append only. */
export interface JobEvent {
  readonly job_id: string
  readonly event: JobEventName
  readonly hostname: string
  readonly timestamp: string
  readonly unix_nano: number
  readonly data: Readonly<Record<string, unknown>>
}

export type ResponseStatus = 'completed' | 'failed' | 'skipped'

/** `responses.<id>.<host>.<unixnano>`: one worker's answer. */
export interface JobResponse {
  readonly job_id: string
  readonly status: ResponseStatus
  readonly data?: unknown
  readonly error?: string
  readonly changed?: boolean
  readonly hostname: string
  readonly timestamp: string
}

/** Of one job over all its workers, from the events. */
export type JobStatus = 'submitted' | 'processing' | 'completed' | 'failed' | 'skipped' | 'partial_failure'

export const jobStatuses: readonly JobStatus[] = [
  'submitted',
  'processing',
  'completed',
  'failed',
  'skipped',
  'partial_failure',
]

export interface AgentState {
  readonly status: JobEventName
  readonly error?: string
  /** Between the host's first and last event, as Go duration text. */
  readonly duration: string
}

export interface TimelineEntry {
  readonly timestamp: string
  readonly event: string
  readonly hostname: string
  readonly message: string
  readonly error?: string
}

/** A job as `GET /job/{id}` answers it. */
export interface JobDetail {
  readonly id: string
  readonly status: JobStatus
  readonly created: string
  readonly operation: Operation
  /** As in the subject: `_any`, `_all`, a machine id, or `key:value`. */
  readonly target?: string
  /** The data of the only response; with several, see `responses`. */
  readonly result?: unknown
  readonly changed?: boolean
  readonly error?: string
  readonly hostname?: string
  readonly updated_at?: string
  readonly responses?: Readonly<Record<string, Omit<JobResponse, 'job_id' | 'timestamp'>>>
  readonly agent_states?: Readonly<Record<string, AgentState>>
  readonly timeline: readonly TimelineEntry[]
}

export interface JobList {
  readonly total_items: number
  readonly status_counts: Readonly<Record<JobStatus, number>>
  readonly items: readonly JobDetail[]
}

export interface QueueStatus {
  readonly total_jobs: number
  readonly status_counts: Readonly<Record<JobStatus, number>>
  readonly operation_counts: Readonly<Record<string, number>>
  readonly dlq_count: number
}

/** What `POST /job` and retry answer. */
export interface JobCreated {
  readonly job_id: string
  readonly status: 'created'
  readonly revision: number
  readonly timestamp: string
}

/** What the workers answered; one response for a single target, one per expected worker for a broadcast. */
export interface JobOutcome {
  readonly job_id: string
  readonly responses: readonly JobResponse[]
}
