import type { IncomingMessage, ServerResponse } from 'node:http'
import { context } from '@opentelemetry/api'
import { startHandledSpan } from './middleware.ts'
import type { HttpOptions } from './options.ts'
import { recordHttpException, serverSpanOf, setHttpRoute } from './server-span.ts'
import { HttpTracing } from './trace.ts'

/** The parts of Koa's context that are read here. */
export interface KoaContextLike {
  readonly req: IncomingMessage
  readonly res: ServerResponse
  /** @koa/router's template of the route that was taken. */
  readonly _matchedRoute?: unknown
}

/**
 * Koa middleware: `app.use(koaTracing())`, before all others. Names the server span by @koa/router's template and records
 * what handlers throw, unless it is a 4xx answer. Makes the server span itself where instrumentHttp did not; only then
 * the options have a meaning. Throws an HttpTracingError for a wrong option.
 */
export function koaTracing(
  options: HttpOptions = {},
): (koa: KoaContextLike, next: () => Promise<unknown>) => Promise<void> {
  const tracing = new HttpTracing(options)
  return async (koa, next) => {
    if (serverSpanOf(koa.req) !== undefined) return handle(koa, next)
    const seen = startHandledSpan(tracing, { request: koa.req, response: koa.res })
    return seen === undefined ? handle(koa, next) : context.with(seen.context, handle, undefined, koa, next)
  }
}

async function handle(koa: KoaContextLike, next: () => Promise<unknown>): Promise<void> {
  try {
    await next()
  } catch (error) {
    recordHttpException(koa.req, error)
    throw error
  } finally {
    if (typeof koa._matchedRoute === 'string') setHttpRoute(koa.req, koa._matchedRoute)
  }
}
