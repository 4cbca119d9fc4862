import type { IncomingMessage, ServerResponse } from 'node:http'
import { context } from '@opentelemetry/api'
import { httpRouteOf } from '@throughline/http'
import type { ServiceLogger } from '../logger.ts'
import { requestIdOf } from './request-id.ts'

/** What is known of a request when it is over. */
export interface RequestSummary {
  readonly requestId: string
  readonly method: string
  /** Without the query, which may hold secrets. */
  readonly path: string
  /** The template; `other` where no route took the request. */
  readonly route: string
  /** 0 where the connection went away before an answer. */
  readonly status: number
  readonly durationMs: number
}

/** Calls `done` once, in the context that is active now, when the answer is out or the connection is gone. */
export function summarizeAtEnd(
  request: IncomingMessage,
  response: ServerResponse,
  done: (summary: RequestSummary) => void,
): void {
  const startMs = performance.now()
  const end = (): void => {
    const [path = ''] = (request.url ?? '').split('?', 1)
    done({
      requestId: requestIdOf(request),
      method: request.method ?? '',
      path,
      route: httpRouteOf(request) || 'other',
      status: response.headersSent ? response.statusCode : 0,
      durationMs: Math.round((performance.now() - startMs) * 1000) / 1000,
    })
  }
  response.once('close', context.bind(context.active(), end))
}

/** One line for each request: `http request complete`. */
export function logRequest(logger: ServiceLogger, service: string, summary: RequestSummary): void {
  const { requestId, method, path, route, status, durationMs } = summary
  logger.info(
    {
      request_id: requestId,
      method,
      path,
      route,
      status,
      duration_ms: durationMs,
      wide_event: {
        name: 'http_request',
        category: 'http',
        resource_type: route,
        action: method.toLowerCase(),
        attributes: { service, status, duration_ms: durationMs },
      },
    },
    'http request complete',
  )
}
