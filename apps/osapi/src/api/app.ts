import { fastifyTracing } from '@throughline/http'
import { type FastifyInstance, fastify } from 'fastify'
import { type AuditStore, createAuditStore } from '../audit/store.ts'
import type { ApiParts } from '../process/component.ts'
import { excludedPaths } from '../telemetry.ts'
import { requirePermissions } from './auth.ts'
import type { ApiContext, Routes } from './context.ts'
import { answerUnroutable, handleErrors } from './errors.ts'
import { createHealthReporter } from './health.ts'
import { allowOrigins, auditRequests, checkTargets, observeRequests, requestIdOf } from './hooks.ts'
import { countJobs, createApiMetrics } from './metrics.ts'
import { serveOpenApi } from './openapi.ts'
import { registerAgentRoutes } from './routes/agent.ts'
import { registerAuditRoutes } from './routes/audit.ts'
import { registerJobRoutes } from './routes/job.ts'
import { registerNodeRoutes, registerQueryTargetRoutes } from './routes/node.ts'
import { registerSystemRoutes } from './routes/system.ts'
import { createTargetValidator } from './target.ts'
import { validateBySchemas } from './validation.ts'

const bodyBytesMax = 1024 * 1024

const allRoutes: readonly Routes[] = [
  registerSystemRoutes,
  registerAgentRoutes,
  registerAuditRoutes,
  registerJobRoutes,
  registerNodeRoutes,
]

export interface AppOptions {
  readonly audit?: AuditStore
  /** Answers that their schemas do not allow become errors; for tests. */
  readonly checkResponses?: boolean
}

export interface ApiApp {
  readonly app: FastifyInstance
  /** Prometheus text. */
  readonly metrics: () => Promise<string>
}

/**
 * The API server's application, not listening yet. Requests pass, in this order: log and metrics, request id, CORS,
 * audit, authentication and permission of the route, validation, target check, handler.
 */
export async function buildApp(parts: ApiParts, options: AppOptions = {}): Promise<ApiApp> {
  const app = fastify({
    bodyLimit: bodyBytesMax,
    genReqId: (request) => requestIdOf(request.headers['x-request-id']),
    routerOptions: { ignoreTrailingSlash: true },
    frameworkErrors: (error, _request, reply) => answerUnroutable(error, reply),
  })
  const context = contextOf(parts, options)
  const { logger, metrics, audit } = context
  validateBySchemas(app, { checkResponses: options.checkResponses ?? false })
  handleErrors(app, logger)
  acceptEmptyJson(app)
  await app.register(fastifyTracing, { excludedPaths })
  observeRequests(app, { logger, metrics })
  allowOrigins(app, parts.config.controller.api.security.cors.allow_origins)
  auditRequests(app, { audit, logger })
  const { signing_key: signingKey } = parts.config.controller.api.security
  requirePermissions(app, { signingKey, customRoles: context.customRoles })
  checkTargets(app, context.targets)
  const openApi = serveOpenApi(app, context.version)
  for (const prefix of ['/api', '']) {
    await app.register(
      (scope, _, done) => {
        for (const register of allRoutes) register(scope, context)
        openApi(scope, context)
        if (prefix === '') registerQueryTargetRoutes(scope, context)
        done()
      },
      { prefix },
    )
  }
  return { app, metrics: () => metrics.registry.metrics() }
}

function contextOf(parts: ApiParts, options: AppOptions): ApiContext {
  const metrics = createApiMetrics()
  const jobs = countJobs(parts.jobs, metrics)
  const roles = Object.entries(parts.config.controller.api.security.roles)
  return {
    config: parts.config,
    customRoles: Object.fromEntries(roles.map(([name, { permissions }]) => [name, permissions])),
    jobs,
    agents: parts.agents,
    audit: options.audit ?? createAuditStore(parts.bus),
    health: createHealthReporter({ ...parts, jobs }),
    metrics,
    targets: createTargetValidator(parts.agents),
    logger: parts.logger,
    version: parts.version,
  }
}

// Clients say application/json on requests without a body too; that is no body, not a bad one.
function acceptEmptyJson(app: FastifyInstance): void {
  const parse = app.getDefaultJsonParser('error', 'error')
  app.addContentTypeParser('application/json', { parseAs: 'string' }, (request, body, done) => {
    if (body === '') done(null, undefined)
    else void parse(request, body as string, done)
  })
}
