import type { AgentInfo, ComponentInfo } from './agent-info.ts'
import type {
  JobCreated,
  JobDetail,
  JobList,
  JobOutcome,
  JobStatus,
  Operation,
  QueueStatus,
} from './model.ts'

/**
 * The API's side of the job system. Every method rejects with a JobError, whose `status` and `message` are what the
 * API answers. The active context goes along with every message.
 */
export interface JobClient {
  /** publishAndCollect for a broadcast target, else publishAndWait. */
  run(operation: Operation, target: string): Promise<JobOutcome>
  /**
   * Stores and publishes a job for one worker and resolves with its answer; `skipped` is an answer too. Rejects with
   * `job_failed` when the worker tells a failure, `timeout` when none answers within `controller.api.job_timeout`.
   */
  publishAndWait(operation: Operation, target: string): Promise<JobOutcome>
  /**
   * The same for all workers that the target matches. Resolves as soon as all that are expected have answered, or at
   * the timeout with a failed response for each that has not; rejects with `no_agents` when none has answered.
   */
  publishAndCollect(operation: Operation, target: string): Promise<JobOutcome>
  /** Stores and publishes a job without waiting for it. */
  add(operation: Operation, target: string): Promise<JobCreated>
  /** Rejects with `job_not_found`. */
  get(id: string): Promise<JobDetail>
  /** Newest first. */
  list(query: {
    readonly status?: JobStatus
    readonly limit: number
    readonly offset: number
  }): Promise<JobList>
  /** Removes the job with its events and responses. Rejects with `job_not_found`. */
  delete(id: string): Promise<void>
  /** A new job with the operation of an old one; `id` may also be a stream sequence number out of the DLQ. */
  retry(id: string, target: string): Promise<JobCreated>
  status(): Promise<QueueStatus>
  dlqCount(): Promise<number>
}

export interface AgentRegistry {
  list(): Promise<readonly AgentInfo[]>
  /** By hostname or machine id, with its timeline. Rejects with `agent_not_found`. */
  get(name: string): Promise<AgentInfo>
  /** Rejects with `agent_not_found`, or `agent_conflict` when it is drained already. */
  drain(name: string): Promise<void>
  /** Rejects with `agent_not_found`, or `agent_conflict` when it is not drained. */
  undrain(name: string): Promise<void>
  /** API servers and NATS servers, for the health status. */
  components(): Promise<readonly ComponentInfo[]>
}

export type JobErrorCode =
  | 'invalid'
  | 'job_not_found'
  | 'agent_not_found'
  | 'agent_conflict'
  | 'job_failed'
  | 'timeout'
  | 'no_agents'
  | 'unavailable'

const statuses: Readonly<Record<JobErrorCode, number>> = {
  invalid: 400,
  job_not_found: 404,
  agent_not_found: 404,
  agent_conflict: 409,
  job_failed: 500,
  timeout: 500,
  no_agents: 500,
  unavailable: 500,
}

/** A refusal or failure of the job system, with what the API answers. */
export class JobError extends Error {
  override readonly name = 'JobError'
  readonly code: JobErrorCode
  /** The HTTP status for it. */
  readonly status: number
  /** The job that it is about, where one was stored. */
  readonly jobId: string | undefined

  constructor(
    code: JobErrorCode,
    message: string,
    about: { readonly jobId?: string; readonly cause?: unknown } = {},
  ) {
    super(message, about.cause === undefined ? undefined : { cause: about.cause })
    this.code = code
    this.status = statuses[code]
    this.jobId = about.jobId
  }

  /** The same, by the name that Fastify and its tracing know. */
  get statusCode(): number {
    return this.status
  }
}
