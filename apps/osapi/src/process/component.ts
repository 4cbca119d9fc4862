import type { Logger } from 'pino'
import type { Config } from '../config/index.ts'
import type { Bus } from '../job/bus.ts'
import type { AgentRegistry, JobClient } from '../job/client.ts'

/** A started part of a process: NATS server, API server, worker. */
export interface Component {
  /** As in log lines: `api server`, `node agent`, `nats server`. */
  readonly name: string
  /** Stops taking work and resolves when what was under way is done. The caller limits how long it waits. */
  stop(): Promise<void>
}

/** What the API server gets from its process. */
export interface ApiParts {
  readonly config: Config
  readonly bus: Bus
  readonly jobs: JobClient
  readonly agents: AgentRegistry
  readonly logger: Logger
  readonly version: string
  /** Tracing on: the health status says so. */
  readonly tracingEnabled: boolean
}

export interface ApiServer extends Component {
  readonly port: number
  /** The Prometheus text of its metrics, for the metrics port. */
  metrics(): Promise<string>
}

/** `startApi` of src/api: resolves when the server listens, with the port it got. */
export type StartApi = (parts: ApiParts) => Promise<ApiServer>
