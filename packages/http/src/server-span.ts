import type { IncomingMessage, ServerResponse } from 'node:http'
import { type Context, type Span, SpanStatusCode } from '@opentelemetry/api'
import { errorType, httpResponseStatusCode, httpRoute, methodInName, oldStatusCode } from './attributes.ts'
import { messageOf, typeName } from './error-type.ts'
import { expressRoute } from './express-route.ts'
import type { HttpTracing } from './trace.ts'

/** Shared by all copies of this package in a process, so that two of them do not make two spans for one request. */
const serverSpanKey: unique symbol = Symbol.for('throughline.http.server-span')

const routeKey: unique symbol = Symbol.for('throughline.http.route')

/** A request that passed through this package. */
export interface SeenRequest extends IncomingMessage {
  [serverSpanKey]?: ServerSpan
  [routeKey]?: string
}

/** The server side of one request: seen, and recorded by a span if `span` is set. */
export class ServerSpan {
  readonly tracing: HttpTracing
  readonly request: IncomingMessage
  readonly response: ResponseHead
  readonly context: Context
  /** undefined: not sampled, or excluded. */
  readonly span: Span | undefined
  /** The context could not be entered by the channel's subscriber: whoever calls the handler must run it in `context`. */
  mustRunInContext = false
  #ended = false
  #routed = false
  #failed = false
  #thrown: unknown

  /** Positional: one is made per request. */
  constructor(
    tracing: HttpTracing,
    request: IncomingMessage,
    response: ResponseHead,
    context: Context,
    span: Span | undefined,
  ) {
    this.tracing = tracing
    this.request = request
    this.response = response
    this.context = context
    this.span = span
    ;(request as SeenRequest)[serverSpanKey] = this
  }

  /** Names the span by the route template; an empty route changes nothing. */
  setRoute(route: string): void {
    const { span } = this
    if (span === undefined || this.#ended || route === '') return
    this.#routed = true
    try {
      span.setAttribute(httpRoute, route)
      span.updateName(`${methodInName(this.request.method ?? '')} ${route}`)
    } catch (error) {
      this.tracing.failed('setHttpRoute', error)
    }
  }

  /** Records what the handler threw. The status becomes ERROR if the answer, or its absence, says so at the end. */
  recordException(thrown: unknown): void {
    const { span } = this
    if (span === undefined || this.#ended || (this.#failed && this.#thrown === thrown)) return
    this.#failed = true
    this.#thrown = thrown
    this.tracing.guard('recording an exception', undefined, () =>
      span.recordException(thrown instanceof Error ? thrown : String(thrown)),
    )
  }

  /** The response was written completely. */
  finish(): void {
    const { span } = this
    if (span === undefined || this.#ended) return
    try {
      if (!this.#routed) this.setRoute(httpRouteOf(this.request))
      this.#setStatusCode(span)
      const status = this.response.statusCode
      if (status >= this.tracing.errorStatusFrom) this.#setError(span, String(status), '')
    } catch (error) {
      this.tracing.failed('the end of a server span', error)
    }
    this.#end(span)
  }

  /** The connection went away first, or the handler threw out of the server. */
  abort(): void {
    const { span } = this
    if (span === undefined || this.#ended) return
    try {
      if (!this.#routed) this.setRoute(httpRouteOf(this.request))
      if (this.response.headersSent) this.#setStatusCode(span)
      this.#setError(span, 'aborted', 'connection closed before the response was complete')
    } catch (error) {
      this.tracing.failed('the end of an aborted server span', error)
    }
    this.#end(span)
  }

  #setStatusCode(span: Span): void {
    const { tracing } = this
    const status = this.response.statusCode
    if (status === 0) return
    if (tracing.stable) span.setAttribute(httpResponseStatusCode, status)
    if (tracing.old) span.setAttribute(oldStatusCode, status)
  }

  /** What was thrown says more than the status it led to. */
  #setError(span: Span, type: string, message: string): void {
    span.setAttribute(errorType, this.#failed ? typeName(this.#thrown) : type)
    const text = this.#failed ? messageOf(this.#thrown) : message
    span.setStatus(
      text === '' ? { code: SpanStatusCode.ERROR } : { code: SpanStatusCode.ERROR, message: text },
    )
  }

  #end(span: Span): void {
    this.#ended = true
    try {
      span.end()
    } catch (error) {
      this.tracing.failed('the end of a server span', error)
    }
  }
}

/** What a span reads of a response. */
export type ResponseHead = Pick<ServerResponse, 'statusCode' | 'headersSent'>

export function serverSpanOf(request: IncomingMessage): ServerSpan | undefined {
  return (request as SeenRequest)[serverSpanKey]
}

/**
 * Names the server span of `request` `METHOD route` and sets `http.route`. For routers that this package does not know:
 * call it once the route is matched, with the template (`/users/:id`), never with the path itself.
 */
export function setHttpRoute(request: IncomingMessage, route: string): void {
  if (route === '') return
  ;(request as SeenRequest)[routeKey] = route
  serverSpanOf(request)?.setRoute(route)
}

/** The template of the route that took `request`, with and without tracing; empty while none has, or where it is not known. */
export function httpRouteOf(request: IncomingMessage): string {
  return (request as SeenRequest)[routeKey] ?? expressRoute(request)
}

/**
 * Records on the server span of `request` what a handler threw, for those who answer it themselves instead of passing it
 * on. Errors whose `status` or `statusCode` is a 4xx are answers and are left out.
 */
export function recordHttpException(request: IncomingMessage, thrown: unknown): void {
  const seen = serverSpanOf(request)
  if (seen !== undefined && !isAnswer(thrown, seen.tracing.errorStatusFrom)) seen.recordException(thrown)
}

/** Errors that only carry a 4xx answer (validation, not found) are no exceptions of the server. */
function isAnswer(thrown: unknown, errorStatusFrom: number): boolean {
  const { status, statusCode = status } = (thrown ?? {}) as { status?: unknown; statusCode?: unknown }
  return typeof statusCode === 'number' && statusCode >= 400 && statusCode < errorStatusFrom
}
