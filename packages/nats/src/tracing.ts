import type { MsgHdrs, NatsConnection } from '@nats-io/nats-core'
import {
  type Attributes,
  type Context,
  context,
  propagation,
  type Span,
  type SpanKind,
  SpanStatusCode,
  type Tracer,
  trace,
} from '@opentelemetry/api'
import * as keys from './attributes.ts'
import { extractFromHeaders, injectIntoHeaders, type Propagator, spanContextOf } from './carrier.ts'
import type { NatsTracingOptions } from './options.ts'

const scope = { name: '@throughline/nats', version: '0.1.0' }

/** Everything that the spans of one connection share. */
export class NatsTracing {
  readonly options: NatsTracingOptions
  readonly propagator: Propagator
  readonly #connection: NatsConnection | undefined
  readonly #destinations: Parameters<typeof keys.destinationOf>[1]
  #server = ''
  #serverAttributes: Attributes = {}

  constructor(options: NatsTracingOptions, connection?: NatsConnection) {
    this.options = options
    this.propagator = options.propagator ?? propagation
    this.#connection = connection
    this.#destinations = { inboxPrefix: inboxPrefixOf(connection), template: options.destinationTemplate }
  }

  /** Asked for each span: the global provider may be registered after the connection was wrapped. */
  get tracer(): Tracer {
    return (this.options.tracerProvider ?? trace.getTracerProvider()).getTracer(scope.name, scope.version)
  }

  get inboxPrefix(): string {
    return this.#destinations.inboxPrefix
  }

  destination(subject: string): keys.Destination {
    return keys.destinationOf(subject, this.#destinations)
  }

  /** Of the server that the connection talks to now; it changes when the client reconnects. */
  serverAttributes(): Attributes {
    const server = this.#connection?.getServer() ?? ''
    if (server !== this.#server) {
      this.#server = server
      const portAt = server.lastIndexOf(':')
      const port = Number(server.slice(portAt + 1))
      this.#serverAttributes =
        portAt < 0 || !Number.isInteger(port)
          ? { [keys.serverAddress]: server }
          : { [keys.serverAddress]: server.slice(0, portAt), [keys.serverPort]: port }
    }
    return this.#serverAttributes
  }

  /** Starts the span of a message that is about to be sent. `fallback` is its parent where no span is active. */
  startSend(send: SendOptions): Sending {
    const active = context.active()
    let parent = active
    if (spanContextOf(active) === undefined) {
      // Somebody who sends on a message with its headers continues the trace that these carry.
      const carried = send.fallback ?? extractFromHeaders(send.headers, active, this.propagator)
      if (spanContextOf(carried) !== undefined) parent = carried
      else if (this.options.rootSpans === false)
        return { span: undefined, headers: this.inject(active, send.headers) }
    }
    const destination = this.destination(send.subject)
    const attributes: Attributes = {
      ...keys.destinationAttributes(destination),
      [keys.operationName]: send.operation,
      [keys.operationType]: 'send',
      ...this.serverAttributes(),
      ...send.attributes,
    }
    const size = sizeOf(send.payload)
    if (size !== undefined) attributes[keys.bodySize] = size
    const name = `${send.operation} ${destination.template}`
    const span = this.tracer.startSpan(name, { kind: send.kind, attributes }, parent)
    const unchanged = parent !== active && span.spanContext().spanId === spanContextOf(parent)?.spanId
    // Without a tracer the headers stay what they are, down to the case of their names.
    if (unchanged && send.fallback === undefined) return { span, headers: send.headers }
    return { span, headers: this.inject(trace.setSpan(parent, span), send.headers) }
  }

  inject(from: Context, source: MsgHdrs | undefined): MsgHdrs | undefined {
    // Some old servers end the connection when they get headers.
    if (this.#connection?.info?.headers === false) return source
    return injectIntoHeaders(from, source, this.propagator)
  }
}

export interface SendOptions {
  readonly kind: SpanKind.PRODUCER | SpanKind.CLIENT
  readonly operation: 'publish' | 'request'
  readonly subject: string
  readonly payload: unknown
  readonly headers: MsgHdrs | undefined
  readonly attributes?: Attributes
  readonly fallback?: Context | undefined
}

export interface Sending {
  /** Undefined where options say so. */
  readonly span: Span | undefined
  readonly headers: MsgHdrs | undefined
}

export function endSpan(span: Span | undefined): void {
  span?.end()
}

export function endSpanWithError(span: Span | undefined, error: unknown): void {
  if (span === undefined) return
  recordError(span, error)
  span.end()
}

export function recordError(span: Span, error: unknown): void {
  const exception = error instanceof Error ? error : new Error(String(error))
  span.recordException(exception)
  span.setAttribute(keys.errorType, exception.name)
  span.setStatus({ code: SpanStatusCode.ERROR, message: exception.message })
}

function sizeOf(payload: unknown): number | undefined {
  if (payload instanceof Uint8Array) return payload.length
  return typeof payload === 'string' ? Buffer.byteLength(payload) : undefined
}

function inboxPrefixOf(connection: NatsConnection | undefined): string {
  const options = (connection as { options?: { inboxPrefix?: unknown } } | undefined)?.options
  return typeof options?.inboxPrefix === 'string' ? options.inboxPrefix : '_INBOX'
}
