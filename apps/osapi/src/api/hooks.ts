import { randomUUID } from 'node:crypto'
import { type Context, context, isSpanContextValid, trace } from '@opentelemetry/api'
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import type { AuditEntry, AuditStore } from '../audit/store.ts'
import type { Logger } from '../logger.ts'
import { HttpError } from './errors.ts'
import type { ApiMetrics } from './metrics.ts'
import type { TargetValidator } from './target.ts'

declare module 'fastify' {
  interface FastifyRequest {
    startedAt: Date
    /** Of the server span. What happens after the answer belongs to the request too, whatever event it hangs on. */
    startContext: Context
  }
}

const requestIdCharsMax = 128

/** The sender's `X-Request-ID` if it is one, else a new one. */
export function requestIdOf(sent: string | string[] | undefined): string {
  if (typeof sent !== 'string' || sent.length > requestIdCharsMax) return randomUUID()
  return /^[\w.:/+=-]+$/u.test(sent) ? sent : randomUUID()
}

/** Remembers where a request started, answers with its id, and logs and counts it when it is answered. */
export function observeRequests(
  app: FastifyInstance,
  { logger, metrics }: { logger: Logger; metrics: ApiMetrics },
): void {
  app.addHook('onRequest', async (request, reply) => {
    request.startedAt = new Date()
    request.startContext = context.active()
    reply.header('x-request-id', request.id)
  })
  app.addHook('onResponse', async (request, reply) => {
    const route = request.routeOptions.url ?? 'unmatched'
    const { statusCode: status, elapsedTime } = reply
    metrics.observeRequest({ method: request.method, route, status, seconds: elapsedTime / 1000 })
    const path = request.url.split('?', 1)[0]
    const fields = {
      method: request.method,
      path,
      status,
      latency: `${elapsedTime.toFixed(3)}ms`,
      request_id: request.id,
    }
    context.with(request.startContext, () => logger.info(fields, 'request'))
  })
}

/** Origins of the configuration may read answers; `*` allows all. Preflights are answered here. */
export function allowOrigins(app: FastifyInstance, allowed: readonly string[]): void {
  if (allowed.length === 0) return
  app.addHook('onRequest', async (request, reply) => {
    const { origin } = request.headers
    reply.header('vary', 'Origin')
    if (origin === undefined || !(allowed.includes('*') || allowed.includes(origin))) return
    reply.header('access-control-allow-origin', allowed.includes('*') ? '*' : origin)
    reply.header('access-control-expose-headers', 'X-Request-ID, X-Trace-ID')
    if (request.method !== 'OPTIONS' || request.headers['access-control-request-method'] === undefined) return
    reply.header('access-control-allow-methods', 'GET, PUT, POST, DELETE')
    reply.header(
      'access-control-allow-headers',
      'Authorization, Content-Type, X-Request-ID, traceparent, tracestate',
    )
    await reply.code(204).send()
  })
}

/** Writes who asked for what, after the answer, and never in its way. */
export function auditRequests(
  app: FastifyInstance,
  { audit, logger }: { audit: AuditStore; logger: Logger },
): void {
  app.addHook('onResponse', async (request, reply) => {
    const entry = entryOf(request, reply)
    if (!entry) return
    context.with(request.startContext, () => {
      audit.write(entry).catch((error: unknown) => {
        logger.warn({ error, entry_id: entry.id }, 'failed to write audit entry')
      })
    })
  })
}

function entryOf(request: FastifyRequest, reply: FastifyReply): AuditEntry | undefined {
  const path = request.url.split('?', 1)[0] ?? ''
  if (!request.claims || /^(\/api)?\/(health|metrics)(\/|$)/u.test(path)) return undefined
  const span = trace.getSpanContext(request.startContext)
  const { operationId } = request.routeOptions.config
  return {
    id: randomUUID(),
    timestamp: request.startedAt.toISOString(),
    user: request.claims.subject,
    roles: request.claims.roles,
    method: request.method,
    path,
    ...(operationId !== undefined && { operation_id: operationId }),
    source_ip: request.ip,
    response_code: reply.statusCode,
    duration_ms: Math.round(reply.elapsedTime),
    ...(span && isSpanContextValid(span) && { trace_id: span.traceId }),
  }
}

/** Refuses requests for targets that no worker answers to. */
export function checkTargets(app: FastifyInstance, targets: TargetValidator): void {
  app.addHook('preHandler', async (request) => {
    const target = sentTarget(request)
    if (target === undefined) return
    const problem = await targets.check(target)
    if (problem !== undefined)
      throw new HttpError(400, `field "target": failed rule valid_target: ${problem}`)
  })
}

function sentTarget(request: FastifyRequest): string | undefined {
  for (const [part, name] of [
    [request.params, 'target'],
    [request.query, 'target_hostname'],
    [request.body, 'target_hostname'],
  ] as const) {
    const value =
      typeof part === 'object' && part !== null ? (part as Record<string, unknown>)[name] : undefined
    if (typeof value === 'string') return value
  }
  return undefined
}
