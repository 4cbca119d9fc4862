import type { IncomingMessage, ServerResponse } from 'node:http'
import { context } from '@opentelemetry/api'
import { startHandledSpan } from './middleware.ts'
import type { HttpOptions } from './options.ts'
import { recordHttpException, serverSpanOf, setHttpRoute } from './server-span.ts'
import { HttpTracing } from './trace.ts'

/** The parts of Fastify 5's request that are read here. */
export interface FastifyRequestLike {
  readonly raw: IncomingMessage
  readonly routeOptions: { readonly url?: string | undefined }
}

/** The part of Fastify 5's reply that is read here. */
export interface FastifyReplyLike {
  readonly raw: ServerResponse
}

type Next = () => void
type Hook = (request: FastifyRequestLike, reply: FastifyReplyLike, next: Next) => void
type ErrorHook = (request: FastifyRequestLike, reply: FastifyReplyLike, error: Error, next: Next) => void

/** The part of a Fastify instance that the plugin needs; stated here so that Fastify's types need not be installed. */
export interface FastifyLike {
  addHook(name: 'onRequest', hook: Hook): unknown
  addHook(name: 'onError', hook: ErrorHook): unknown
}

/**
 * Fastify 5 plugin: `app.register(fastifyTracing)`. Names the server span `METHOD route` and records the errors of
 * handlers. Makes the server span itself where instrumentHttp did not; only then the options have a meaning.
 */
export function fastifyTracing(app: FastifyLike, options: HttpOptions, done: (error?: Error) => void): void {
  const tracing = new HttpTracing(options)
  app.addHook('onRequest', (request: FastifyRequestLike, reply: FastifyReplyLike, next: Next) => {
    const before = serverSpanOf(request.raw)
    const seen = before ?? startHandledSpan(tracing, { request: request.raw, response: reply.raw })
    // No URL: the handler for what no route took.
    setHttpRoute(request.raw, request.routeOptions.url ?? '')
    if (before === undefined && seen !== undefined) context.with(seen.context, next)
    else next()
  })
  app.addHook('onError', recordError)
  done()
}

const recordError: ErrorHook = (request, _, error, next) => {
  recordHttpException(request.raw, error)
  next()
}

// Fastify's marks: the hooks apply to the whole application, not to the plugin's own scope; and a name for its messages.
Object.assign(fastifyTracing, {
  [Symbol.for('skip-override')]: true,
  [Symbol.for('fastify.display-name')]: '@throughline/http',
})
