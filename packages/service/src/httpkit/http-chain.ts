import type { IncomingMessage, RequestListener, ServerResponse } from 'node:http'
import { type HttpHandler, type HttpOptions, httpMiddleware, recordHttpException } from '@throughline/http'
import { errorText } from '../error-text.ts'
import type { ServiceLogger } from '../logger.ts'
import { limitBody } from './body-limit.ts'
import { refuseCrossSite, setSecurityHeaders } from './browser-security.ts'
import { type HealthCheck, healthPaths, healthResponder } from './health.ts'
import { HttpError, sendError } from './http-error.ts'
import { identifyRequest, requestIdOf } from './request-id.ts'
import { logRequest, type RequestSummary, summarizeAtEnd } from './request-log.ts'

const mebibyte = 1024 * 1024

export interface HttpChainOptions {
  /** The service's name, as `/healthz` and the log say it. */
  readonly service: string
  /** Default: no lines. */
  readonly logger?: ServiceLogger | undefined
  /**
   * The server span is part of the chain; false leaves it out. Where `initTracer` has instrumented node:http already, its
   * span is the one, and its options count.
   */
  readonly tracing?: HttpOptions | false | undefined
  /** Bytes of a request's body. Default 1 MiB; 0: no limit. */
  readonly bodyBytesMax?: number | undefined
  /** What `/readyz` looks at, by name. */
  readonly checks?: Readonly<Record<string, HealthCheck>> | undefined
  /** Browser security headers, and 403 for unsafe requests of other sites. Default true. */
  readonly browserSecurity?: boolean | undefined
  /** Called for each request when it is over, for metrics. */
  readonly onRequest?: ((summary: RequestSummary) => void) | undefined
}

interface Chain {
  readonly service: string
  readonly logger: ServiceLogger | undefined
  readonly bodyBytesMax: number
  readonly browserSecurity: boolean
  readonly onRequest: ((summary: RequestSummary) => void) | undefined
}

/**
 * The default chain around any handler of node:http, and so around Express, Fastify, Hono and Koa: health endpoints,
 * request id, server span, log line, recovery, body limit. `createServer(httpChain({ service: 'prompts' })(handler))`.
 *
 * A handler that throws, or whose promise rejects, is answered for: an HttpError by its code, anything else by 500.
 */
export function httpChain(options: HttpChainOptions): (handler: HttpHandler) => RequestListener {
  const chain: Chain = {
    service: options.service,
    logger: options.logger,
    bodyBytesMax: options.bodyBytesMax ?? mebibyte,
    browserSecurity: options.browserSecurity ?? true,
    onRequest: options.onRequest,
  }
  const answerHealth = healthResponder({
    service: options.service,
    checks: options.checks ?? {},
    now: () => performance.now(),
  })
  const inSpan =
    options.tracing === false
      ? undefined
      : httpMiddleware({ excludedPaths: healthPaths, responseHeaders: true, ...options.tracing })
  return (handler) => {
    const handle = (request: IncomingMessage, response: ServerResponse): void =>
      handleRequest(chain, { request, response, handler })
    const handleInSpan = inSpan === undefined ? handle : inSpan(handle)
    return (request, response) => {
      const [path = ''] = (request.url ?? '').split('?', 1)
      if (answerHealth(path, response)) return
      identifyRequest(request, response)
      handleInSpan(request, response)
    }
  }
}

interface Exchange {
  readonly request: IncomingMessage
  readonly response: ServerResponse
  readonly handler: HttpHandler
}

/** Within the span. Throws nothing, so that the answer to a failure is in the span too. */
function handleRequest(chain: Chain, { request, response, handler }: Exchange): void {
  const { service, logger, onRequest } = chain
  if (logger !== undefined || onRequest !== undefined)
    summarizeAtEnd(request, response, (summary) => {
      if (logger !== undefined) logRequest(logger, service, summary)
      onRequest?.(summary)
    })
  const fail = (thrown: unknown): void => {
    answerFailure(chain, { request, response, thrown })
  }
  try {
    if (chain.browserSecurity) {
      setSecurityHeaders(response)
      refuseCrossSite(request)
    }
    if (!limitBody(request, response, chain.bodyBytesMax)) return
    const result = handler(request, response)
    if (result instanceof Promise) result.catch(fail)
  } catch (thrown) {
    fail(thrown)
  }
}

interface Failure {
  readonly request: IncomingMessage
  readonly response: ServerResponse
  readonly thrown: unknown
}

function answerFailure({ logger }: Chain, { request, response, thrown }: Failure): void {
  recordHttpException(request, thrown)
  if (thrown instanceof HttpError && thrown.statusCode < 500) {
    sendError(response, thrown)
    return
  }
  const [path] = (request.url ?? '').split('?', 1)
  logger?.error(
    {
      request_id: requestIdOf(request),
      panic: errorText(thrown),
      method: request.method,
      path,
      stack: thrown instanceof Error ? thrown.stack : undefined,
    },
    'http panic recovered',
  )
  sendError(
    response,
    thrown instanceof HttpError ? thrown : new HttpError('internal_error', 'internal error'),
  )
  // An answer that had begun cannot be mended: the caller has to see that it is broken.
  if (!response.writableEnded) response.destroy()
}
