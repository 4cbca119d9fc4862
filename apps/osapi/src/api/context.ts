import type { FastifyInstance } from 'fastify'
import type { AuditStore } from '../audit/store.ts'
import type { RoleTable } from '../auth/permissions.ts'
import type { Claims } from '../auth/token.ts'
import type { Config } from '../config/index.ts'
import type { AgentRegistry, JobClient } from '../job/client.ts'
import type { Logger } from '../logger.ts'
import type { HealthReporter } from './health.ts'
import type { ApiMetrics } from './metrics.ts'
import type { TargetValidator } from './target.ts'

/** What routes and hooks work with; made once per server. */
export interface ApiContext {
  readonly config: Config
  readonly customRoles: RoleTable
  readonly jobs: JobClient
  readonly agents: AgentRegistry
  readonly audit: AuditStore
  readonly health: HealthReporter
  readonly metrics: ApiMetrics
  readonly targets: TargetValidator
  readonly logger: Logger
  readonly version: string
}

/** A set of routes; registered with and without the `/api` prefix. */
export type Routes = (app: FastifyInstance, context: ApiContext) => void

declare module 'fastify' {
  interface FastifyContextConfig {
    /** What a token must grant; a route without it is open to everyone. */
    permission?: string
    /** As in the OpenAPI document and in audit entries. */
    operationId?: string
  }
  interface FastifyRequest {
    /** Of the token; undefined on open routes and until the token is checked. */
    claims: Claims | undefined
  }
}
