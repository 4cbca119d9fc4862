import fastify, { type FastifyInstance, type FastifyReply } from 'fastify'
import { LensError } from '../errors.ts'
import { limits } from '../limits.ts'
import { compactTrace } from '../query/compact-trace.ts'
import type { QueryEngine, TraceListEntry } from '../query/query-engine.ts'
import type { IngestCounters } from '../receiver/ingest.ts'
import { type PageFiles, readPageFiles } from './page-files.ts'
import { ParameterError, parseId, parseTraceFilter, parseTraceForm } from './parameters.ts'

/** Numbers about the running Lens for `/health`. */
export interface LensHealth extends Readonly<IngestCounters> {
  readonly status: 'ok'
}

export interface ApiOptions {
  readonly engine: QueryEngine
  readonly health: () => LensHealth
  /** The address that Lens listens on. On a loopback address, only requests for a loopback name are answered. */
  readonly host: string
}

/**
 * Page and API on one server. Errors are `{ error: { code, message, … } }`: 400 `invalid_parameter` with `parameter`,
 * `value` and `allowed`; 404 `unknown_trace`, `unknown_span` or `not_found`; 504 `query_timeout`.
 */
export function createApi({ engine, health, host }: ApiOptions): FastifyInstance {
  const app = fastify({ requestTimeout: limits.requestTimeoutMs, forceCloseConnections: true })
  if (isLoopback(host)) refuseForeignNames(app)
  app.addHook('onSend', async (_request, reply) => {
    // The page shows what strangers sent. Should an escape be forgotten somewhere, nothing foreign runs or loads even then.
    reply.header(
      'content-security-policy',
      "default-src 'self'; img-src 'self' data:; frame-ancestors 'none'",
    )
    reply.header('x-content-type-options', 'nosniff')
    reply.header('referrer-policy', 'no-referrer')
  })
  addErrors(app)
  addQueries(app, engine)
  app.get('/health', async () => health())
  addPage(app, readPageFiles())
  return app
}

/**
 * A web page elsewhere can point its own domain name at 127.0.0.1 and then read what is served there as its own (DNS
 * rebinding). The name in the Host header gives that away.
 */
function refuseForeignNames(app: FastifyInstance): void {
  app.addHook('onRequest', async (request, reply) => {
    if (isLoopback(request.hostname)) return
    const message = `Lens listens on this machine only and answers to localhost, not to ${request.hostname}; see --host`
    await fail(reply, { status: 403, code: 'foreign-host', message })
  })
}

const isLoopback = (name: string): boolean =>
  name === 'localhost' ||
  name.endsWith('.localhost') ||
  /^127(\.\d{1,3}){3}$/.test(name) ||
  /^\[?::1\]?$/.test(name)

function addErrors(app: FastifyInstance): void {
  app.setErrorHandler((error, _request, reply) => {
    if (error instanceof ParameterError) {
      const { parameter, value, allowed, message } = error
      return reply
        .code(400)
        .send({ error: { code: 'invalid_parameter', message, parameter, value, allowed } })
    }
    if (error instanceof LensError && error.code === 'query_timeout')
      return fail(reply, { status: 504, code: error.code, message: error.message })
    const status = statusOf(error)
    if (status < 500) return fail(reply, { status, code: 'bad_request', message: textOf(error) })
    console.error(`throughline lens: a query failed: ${textOf(error)}`)
    return fail(reply, { status: 500, code: 'internal', message: textOf(error) })
  })
  app.setNotFoundHandler((request, reply) =>
    fail(reply, {
      status: 404,
      code: 'not_found',
      message: `there is nothing at ${request.method} ${request.url}`,
    }),
  )
}

const textOf = (error: unknown): string => (error instanceof Error ? error.message : String(error))

function statusOf(error: unknown): number {
  const status: unknown =
    typeof error === 'object' && error !== null && 'statusCode' in error ? error.statusCode : 500
  return typeof status === 'number' ? status : 500
}

const fail = (
  reply: FastifyReply,
  { status, code, message }: { readonly status: number; readonly code: string; readonly message: string },
): FastifyReply => reply.code(status).send({ error: { code, message } })

type Params = Readonly<Record<'traceId' | 'spanId', string>>
type Query = Readonly<Record<string, unknown>>

function addQueries(app: FastifyInstance, engine: QueryEngine): void {
  app.get<{ Querystring: Query }>('/api/traces', (request) => listTraces(engine, request.query))
  app.get<{ Params: Params; Querystring: Query }>('/api/traces/:traceId', async (request, reply) => {
    const traceId = parseId('traceId', request.params.traceId)
    const { details, compact } = parseTraceForm(request.query)
    const trace = await engine.trace(traceId, { details })
    if (trace !== undefined) return compact ? compactTrace(trace) : trace
    return fail(reply, {
      status: 404,
      code: 'unknown_trace',
      message: `no span of trace ${traceId} has arrived`,
    })
  })
  app.get<{ Params: Params }>('/api/traces/:traceId/spans/:spanId', async (request, reply) => {
    const traceId = parseId('traceId', request.params.traceId)
    const spanId = parseId('spanId', request.params.spanId)
    const details = await engine.spanDetails(traceId, spanId)
    if (details !== undefined) return details
    const message = `no span ${spanId} of trace ${traceId} has arrived`
    return fail(reply, { status: 404, code: 'unknown_span', message })
  })
  app.get('/api/services', async () => ({ services: await engine.services() }))
}

async function listTraces(engine: QueryEngine, query: Query): Promise<{ traces: readonly TraceListEntry[] }> {
  return { traces: await engine.traces(parseTraceFilter(query)) }
}

/** The page routes by itself: `/` is the list, `/trace/<id>` one trace. */
function addPage(app: FastifyInstance, files: PageFiles): void {
  const index = async (_request: unknown, reply: FastifyReply): Promise<FastifyReply> => {
    if (files.index === undefined)
      return fail(reply, {
        status: 503,
        code: 'page_missing',
        message: 'the page is not built: npm run build',
      })
    return reply.type('text/html; charset=utf-8').header('cache-control', 'no-cache').send(files.index)
  }
  app.get('/', index)
  app.get('/trace/:traceId', index)
  app.get<{ Params: { name: string } }>('/assets/:name', async (request, reply) => {
    const file = files.assets.get(request.params.name)
    if (file === undefined) return reply.callNotFound()
    // The name has a hash of the content in it.
    return reply
      .type(file.type)
      .header('cache-control', 'public, max-age=31536000, immutable')
      .send(file.body)
  })
}
