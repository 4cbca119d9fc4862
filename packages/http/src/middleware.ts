import type { IncomingMessage, ServerResponse } from 'node:http'
import { context } from '@opentelemetry/api'
import type { HttpOptions } from './options.ts'
import { finishServerSpan, startServerSpan } from './server.ts'
import { type ServerSpan, serverSpanOf } from './server-span.ts'
import { HttpTracing } from './trace.ts'

/** A request listener of node:http; it may return a promise. */
export type HttpHandler = (request: IncomingMessage, response: ServerResponse) => unknown

/** What `httpMiddleware` returns: one function, two ways to call it. */
export interface HttpMiddleware {
  /** Around a plain handler: `http.createServer(httpMiddleware()(handler))`. */
  (handler: HttpHandler): HttpHandler
  /** Connect style: `app.use(httpMiddleware())`. */
  (request: IncomingMessage, response: ServerResponse, next: () => unknown): unknown
}

/**
 * A server span per request, in which the rest of the chain runs. For servers that instrumentHttp does not see (HTTP/2,
 * a test's fake requests) and programs that prefer to wire by hand. Where instrumentHttp made the span already, it only
 * adds the exceptions that pass through. Throws an HttpTracingError for a wrong option.
 */
export function httpMiddleware(options: HttpOptions = {}): HttpMiddleware {
  const tracing = new HttpTracing(options)
  function middleware(...args: [HttpHandler] | [IncomingMessage, ServerResponse, () => unknown]): unknown {
    if (args.length === 1) {
      const [handler] = args
      return (request: IncomingMessage, response: ServerResponse) =>
        run(tracing, { request, response }, () => handler(request, response))
    }
    const [request, response, next] = args
    return run(tracing, { request, response }, next)
  }
  return middleware as HttpMiddleware
}

interface Exchange {
  readonly request: IncomingMessage
  readonly response: ServerResponse
}

function run(tracing: HttpTracing, exchange: Exchange, handle: () => unknown): unknown {
  const before = serverSpanOf(exchange.request)
  if (before !== undefined) return recordThrown(before, handle)
  const seen = startHandledSpan(tracing, exchange)
  if (seen === undefined) return handle()
  return context.with(seen.context, () => recordThrown(seen, handle))
}

/** Starts the span of a request outside the channels; its end is heard on the response. */
export function startHandledSpan(
  tracing: HttpTracing,
  { request, response }: Exchange,
): ServerSpan | undefined {
  const seen = tracing.guard('a server span', undefined, () => startServerSpan(tracing, request, response))
  if (seen?.span === undefined) return seen
  response.once('finish', () => finishServerSpan(request, request.socket))
  // Follows `finish`, or comes alone when the connection (in HTTP/2: the stream) went away first.
  response.once('close', () => seen.abort())
  return seen
}

/**
 * The span ends at once when the handler throws or rejects: the error may be about to end the process. What was thrown
 * goes on to whoever would have got it without this middleware.
 */
function recordThrown(seen: ServerSpan, handle: () => unknown): unknown {
  const failed = (error: unknown): never => {
    seen.recordException(error)
    seen.abort()
    throw error
  }
  try {
    const result = handle()
    return result instanceof Promise ? result.then(undefined, failed) : result
  } catch (error) {
    return failed(error)
  }
}
