import type { IncomingMessage, ServerResponse } from 'node:http'
import { type Context, type Span, SpanStatusCode } from '@opentelemetry/api'
import { errorType, httpResponseStatusCode, httpRoute, methodInName, oldStatusCode } from './attributes.ts'
import type { HttpTracing } from './trace.ts'

/** Shared by all copies of this package in a process, so that two of them do not make two spans for one request. */
const serverSpanKey: unique symbol = Symbol.for('throughline.http.server-span')

/** A request that passed through this package. */
export interface SeenRequest extends IncomingMessage {
  [serverSpanKey]?: ServerSpan
}

/** The server side of one request: seen, and recorded by a span if `span` is set. */
export class ServerSpan {
  readonly tracing: HttpTracing
  readonly request: IncomingMessage
  readonly response: ServerResponse
  readonly context: Context
  /** undefined: not sampled, or excluded. */
  readonly span: Span | undefined
  /** The context could not be entered by the channel's subscriber: whoever calls the handler must run it in `context`. */
  mustRunInContext = false
  #ended = false
  #failed = false

  constructor(tracing: HttpTracing, parts: Parts) {
    this.tracing = tracing
    this.request = parts.request
    this.response = parts.response
    this.context = parts.context
    this.span = parts.span
    ;(parts.request as SeenRequest)[serverSpanKey] = this
  }

  /** Names the span by the route template; an empty route changes nothing. */
  setRoute(route: string): void {
    const { span } = this
    if (span === undefined || this.#ended || route === '') return
    try {
      span.setAttribute(httpRoute, route)
      span.updateName(`${methodInName(this.request.method ?? '')} ${route}`)
    } catch (error) {
      this.tracing.failed('setHttpRoute', error)
    }
  }

  /** Records what the handler threw, and the status ERROR. */
  recordException(thrown: unknown): void {
    const { span } = this
    if (span === undefined || this.#ended) return
    this.#failed = true
    try {
      const exception = thrown instanceof Error ? thrown : String(thrown)
      span.recordException(exception)
      span.setAttribute(errorType, typeName(thrown))
      span.setStatus({
        code: SpanStatusCode.ERROR,
        message: typeof exception === 'string' ? exception : exception.message,
      })
    } catch (error) {
      this.tracing.failed('recording an exception', error)
    }
  }

  /** The response was written completely. */
  finish(): void {
    const { span } = this
    if (span === undefined || this.#ended) return
    try {
      this.#setStatusCode(span)
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
      if (this.response.headersSent) this.#setStatusCode(span)
      if (!this.#failed) {
        span.setAttribute(errorType, 'aborted')
        span.setStatus({
          code: SpanStatusCode.ERROR,
          message: 'connection closed before the response was complete',
        })
      }
    } catch (error) {
      this.tracing.failed('the end of an aborted server span', error)
    }
    this.#end(span)
  }

  #setStatusCode(span: Span): void {
    const { tracing } = this
    const status = this.response.statusCode
    if (tracing.stable) span.setAttribute(httpResponseStatusCode, status)
    if (tracing.old) span.setAttribute(oldStatusCode, status)
    if (status >= tracing.errorStatusFrom && !this.#failed) {
      span.setAttribute(errorType, String(status))
      span.setStatus({ code: SpanStatusCode.ERROR })
    }
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

interface Parts {
  readonly request: IncomingMessage
  readonly response: ServerResponse
  readonly context: Context
  readonly span: Span | undefined
}

export function serverSpanOf(request: IncomingMessage): ServerSpan | undefined {
  return (request as SeenRequest)[serverSpanKey]
}

/** A low-cardinality name of what was thrown: an error's code (`ECONNRESET`), else its class. */
export function typeName(thrown: unknown): string {
  if (!(thrown instanceof Error)) return typeof thrown
  const { code } = thrown as { code?: unknown }
  return typeof code === 'string' && code !== '' ? code : thrown.name
}

/**
 * Names the server span of `request` `METHOD route` and sets `http.route`. For routers that this package does not know:
 * call it once the route is matched, with the template (`/users/:id`), never with the path itself.
 */
export function setHttpRoute(request: IncomingMessage, route: string): void {
  serverSpanOf(request)?.setRoute(route)
}
