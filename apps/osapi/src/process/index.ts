import type { Logger } from 'pino'
import type { Config } from '../config/index.ts'

export type { ApiParts, Component, StartApi } from './component.ts'

/** What the CLI knows when it starts a long-running process. */
export interface Launch {
  readonly config: Config
  readonly logger: Logger
  readonly version: string
  readonly json: boolean
  /** Aborted: stop, as at SIGINT and SIGTERM. For tests. */
  readonly signal?: AbortSignal
}

/**
 * `osapi nats server start`, `api server start`, `job worker start`, `start`. Each resolves with the exit code when the
 * process was told to stop and has stopped, and rejects when it cannot start.
 */
export type RunProcess = (launch: Launch) => Promise<number>
