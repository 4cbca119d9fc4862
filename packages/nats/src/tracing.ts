import type { MsgHdrs, NatsConnection, Payload } from '@nats-io/nats-core'
import {
  type Attributes,
  type Context,
  context,
  diag,
  type Link,
  ProxyTracerProvider,
  propagation,
  type Span,
  type SpanKind,
  SpanStatusCode,
  TraceFlags,
  type Tracer,
  type TracerProvider,
  trace,
} from '@opentelemetry/api'
import * as keys from './attributes.ts'
import { supportsTracing } from './broker-events.ts'
import { extractFromHeaders, injectIntoHeaders, type Propagator, spanContextOf } from './carrier.ts'
import { type Carried, injectIntoEnvelope } from './envelope.ts'
import { type Measurement, MessagingMetrics } from './metrics.ts'
import { checkOptions, type NatsTracingOptions } from './options.ts'
import { sendAttributesOf } from './send-attributes.ts'

const scope = { name: '@throughline/nats', version: '0.1.0' }

/** What the API hands out until a tracer is registered. */
const noTracerProvider = new ProxyTracerProvider().getDelegate()
/** Subjects with ids in them must not fill the memory. */
const destinationsMax = 1_000

const sendOperations = {
  publish: { name: 'publish', type: 'send' },
  request: { name: 'request', type: 'send' },
} as const

/** Everything that the spans of one connection share. */
export class NatsTracing {
  readonly options: NatsTracingOptions
  readonly propagator: Propagator
  readonly metrics: MessagingMetrics
  readonly #connection: NatsConnection | undefined
  readonly #mapper: keys.DestinationMapper
  readonly #inbox: keys.Destination
  readonly #destinations = new Map<string, keys.Destination>()
  #subscribesUntraced = false
  #provider: TracerProvider = noTracerProvider
  #tracer: Tracer | undefined
  #toldTooLarge = false
  #server = ''
  #address = ''
  #port: number = Number.NaN

  constructor(options: NatsTracingOptions, connection?: NatsConnection) {
    checkOptions(options)
    this.options = options
    this.propagator = options.propagator ?? propagation
    this.metrics = new MessagingMetrics(scope, options.meterProvider)
    this.#connection = connection
    this.#mapper = { inboxPrefix: inboxPrefixOf(connection), template: options.destinationTemplate }
    this.#inbox = keys.destinationOf(`${this.#mapper.inboxPrefix}.*`, this.#mapper)
  }

  /** The connection itself, without tracing. */
  get connection(): NatsConnection | undefined {
    return this.#connection
  }

  /** False until a tracer is registered: then messages are handed on, with the context that they bring, and no more. */
  get isOn(): boolean {
    return this.#currentProvider() !== noTracerProvider
  }

  /** False where nothing is active and the options want no span that starts a trace. */
  mayStartIn(active: Context): boolean {
    return this.options.rootSpans !== false || spanContextOf(active) !== undefined
  }

  /** The global provider may be registered after the connection was wrapped, and be exchanged. */
  get tracer(): Tracer {
    const provider = this.#currentProvider()
    if (this.#tracer === undefined || provider !== this.#provider) {
      this.#provider = provider
      this.#tracer = provider.getTracer(scope.name, scope.version)
    }
    return this.#tracer
  }

  #currentProvider(): TracerProvider {
    const provider = this.options.tracerProvider ?? trace.getTracerProvider()
    return provider instanceof ProxyTracerProvider ? provider.getDelegate() : provider
  }

  /** `pattern` is the subject of the subscription that brought the message; it may have wildcards. */
  destination(subject: string, pattern?: string): keys.Destination {
    // Each is another one: they must not push the others out.
    if (keys.isInbox(subject, this.#mapper)) return this.#inbox
    const key = pattern === undefined || pattern === subject ? subject : `${pattern} ${subject}`
    let destination = this.#destinations.get(key)
    if (destination === undefined) {
      if (this.#destinations.size >= destinationsMax) this.#destinations.clear()
      destination = keys.destinationOf(subject, this.#mapper, pattern)
      this.#destinations.set(key, destination)
    }
    return destination
  }

  /** Adds the server that the connection talks to now; it changes when the client reconnects. */
  readonly addServer = (attributes: Attributes): Attributes => {
    const server = this.#connection?.getServer() ?? ''
    if (server !== this.#server) {
      this.#server = server
      const portAt = server.lastIndexOf(':')
      this.#address = portAt < 0 ? server : server.slice(0, portAt)
      this.#port = portAt < 0 ? Number.NaN : Number(server.slice(portAt + 1))
    }
    if (this.#address !== '') attributes[keys.serverAddress] = this.#address
    if (Number.isInteger(this.#port)) attributes[keys.serverPort] = this.#port
    return attributes
  }

  /** Runs `subscribe`, which only queues messages: whoever reads the queue makes their spans. */
  subscribeUntraced<T>(subscribe: () => T): T {
    this.#subscribesUntraced = true
    try {
      return subscribe()
    } finally {
      this.#subscribesUntraced = false
    }
  }

  get subscribesUntraced(): boolean {
    return this.#subscribesUntraced
  }

  /** False for messages on subjects that the options call public. */
  trusts(subject: string): boolean {
    const { trust } = this.options
    if (typeof trust !== 'function') return trust !== 'restart-with-link'
    try {
      return trust(subject) === 'continue'
    } catch {
      return false
    }
  }

  /** Starts the span of a message that is about to be sent. `fallback` is its parent where no span is active. */
  startSend(send: SendOptions): Sending {
    const active = context.active()
    const destination = this.destination(send.subject)
    const operation = sendOperations[send.operation]
    const measured = this.metrics.start({ operation, destination, addServer: this.addServer })
    const parent = this.isOn ? this.#parentOf(send, active) : undefined
    if (parent === undefined) return new Sending(undefined, this.#carry(active, send), measured)
    const unsampled = isUnsampled(parent)
    const links = this.#originOf(send.headers)
    const span = this.tracer.startSpan(
      `${send.operation} ${destination.template}`,
      {
        kind: send.kind,
        ...(unsampled ? undefined : { attributes: this.#sendAttributes(send, destination, active) }),
        ...(links === undefined ? undefined : { links }),
      },
      parent,
    )
    if (unsampled && span.isRecording()) span.setAttributes(this.#sendAttributes(send, destination, active))
    const { headers, payload } = this.#carry(trace.setSpan(parent, span), send)
    return new Sending(span, { headers: this.#withTraceDest(span, send.headers, headers), payload }, measured)
  }

  #sendAttributes(send: SendOptions, destination: keys.Destination, active: Context): Attributes {
    const attributes = keys.messagingAttributes(destination, sendOperations[send.operation])
    const added = sendAttributesOf(active)
    // Those of the conventions win.
    if (added !== undefined) Object.assign(attributes, added, { ...attributes })
    if (send.messageId !== undefined) attributes[keys.messageId] = keys.bounded(send.messageId)
    const size = sizeOf(send.payload)
    if (size !== undefined) attributes[keys.bodySize] = size
    return this.addServer(attributes)
  }

  /** The message as it goes out, with the context in its headers, and in its envelope where it has one. */
  #carry(from: Context, { headers: given, payload }: SendOptions): Carried {
    const headers = this.inject(from, { headers: given, payload })
    const carried = injectIntoEnvelope(this.options.envelope, from, { headers, payload, given })
    return this.#fits(carried) ? carried : { headers, payload }
  }

  /** Undefined where the options want no span. */
  #parentOf(send: SendOptions, active: Context): Context | undefined {
    if (spanContextOf(active) !== undefined) return active
    // Somebody who sends on a message with its headers continues the trace that these carry.
    const carried = send.fallback ?? extractFromHeaders(send.headers, active, this.propagator)
    if (spanContextOf(carried) !== undefined) return carried
    return this.options.rootSpans === false ? undefined : active
  }

  /** Who sends on a message with its headers, e.g. to a dead-letter subject, tells where it came from. */
  #originOf(headers: MsgHdrs | undefined): Link[] | undefined {
    if (headers === undefined) return undefined
    const origin = spanContextOf(extractFromHeaders(headers, undefined, this.propagator))
    return origin === undefined ? undefined : [{ context: origin }]
  }

  /** Asks the servers to report this message; those before 2.11 would hand the header on to the consumers. */
  #withTraceDest(span: Span, given: MsgHdrs | undefined, sent: MsgHdrs | undefined): MsgHdrs | undefined {
    const { brokerTraceDest } = this.options
    // Headers without a context are the user's own, and of no use to the servers.
    if (brokerTraceDest === undefined || sent === undefined || sent === given) return sent
    if ((span.spanContext().traceFlags & TraceFlags.SAMPLED) === 0) return sent
    if (!supportsTracing(this.#connection?.info?.version ?? '')) return sent
    // The servers know this name in these letters only.
    sent.set('Nats-Trace-Dest', brokerTraceDest)
    return sent
  }

  /** The headers with the context, or the given ones where the server takes no more. */
  inject(from: Context, given: Carried): MsgHdrs | undefined {
    // Some old servers end the connection when they get headers.
    if (this.#connection?.info?.headers === false) return given.headers
    const headers = injectIntoHeaders(from, given.headers, this.propagator)
    if (headers === given.headers || this.#fits({ headers, payload: given.payload })) return headers
    this.#tellTooLarge()
    return given.headers
  }

  /** False for a message that the client would refuse, though without us it might not. */
  #fits({ headers, payload }: Carried): boolean {
    const sizeBytesMax = this.#connection?.info?.max_payload
    // A character has three bytes at most: nearly all messages are far from where it matters.
    if (sizeBytesMax === undefined || (payload?.length ?? 0) * 3 < sizeBytesMax / 2) return true
    return (sizeOf(payload) ?? 0) + headersSizeBytes(headers) + addedLaterBytes <= sizeBytesMax
  }

  #tellTooLarge(): void {
    if (this.#toldTooLarge) return
    this.#toldTooLarge = true
    diag.warn(
      '@throughline/nats: a message as large as the server takes goes without trace context; told once',
    )
  }
}

export interface SendOptions {
  readonly kind: SpanKind.PRODUCER | SpanKind.CLIENT
  readonly operation: keyof typeof sendOperations
  readonly subject: string
  readonly payload: Payload | undefined
  readonly headers: MsgHdrs | undefined
  readonly messageId?: string | undefined
  readonly fallback?: Context | undefined
}

/**
 * True below a span that is not sampled: a span there will hardly be recorded, so that its attributes wait until that is
 * known. They are most of what an unsampled message costs.
 */
export function isUnsampled(parent: Context): boolean {
  const spanContext = spanContextOf(parent)
  return spanContext !== undefined && (spanContext.traceFlags & TraceFlags.SAMPLED) === 0
}

/** A message on its way: its headers and payload, and what ends with it. */
export class Sending {
  /** Undefined without a tracer, and where the options say so. */
  readonly span: Span | undefined
  readonly headers: MsgHdrs | undefined
  /** What to send in the place of the payload that was given. */
  readonly payload: Payload | undefined
  readonly #measured: Measurement | undefined
  #ended = false

  constructor(span: Span | undefined, { headers, payload }: Carried, measured: Measurement | undefined) {
    this.span = span
    this.headers = headers
    this.payload = payload
    this.#measured = measured
  }

  end(failure?: Failure): void {
    if (this.#ended) return
    this.#ended = true
    if (failure !== undefined && this.span !== undefined) recordError(this.span, failure.error)
    this.span?.end()
    this.#measured?.end(failure && errorTypeOf(failure.error))
  }
}

/** Anything may be thrown, undefined too. */
export interface Failure {
  readonly error: unknown
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
  span.setAttribute(keys.errorType, errorTypeOf(error))
  span.setStatus({ code: SpanStatusCode.ERROR, message: exception.message })
}

export function errorTypeOf(error: unknown): string {
  return error instanceof Error ? error.name : 'Error'
}

/** What the JetStream client and brokerTraceDest put into the headers afterwards. */
const addedLaterBytes = 1_024

/** As the client writes them; a user's own 8 KiB of headers are no reason to be wrong. */
function headersSizeBytes(headers: MsgHdrs | undefined): number {
  let size = 0
  for (const [name, values] of headers ?? []) {
    for (const value of values) size += Buffer.byteLength(name) + Buffer.byteLength(value) + 4
  }
  return size
}

function sizeOf(payload: unknown): number | undefined {
  if (payload instanceof Uint8Array) return payload.length
  return typeof payload === 'string' ? Buffer.byteLength(payload) : undefined
}

function inboxPrefixOf(connection: NatsConnection | undefined): string {
  const options = (connection as { options?: { inboxPrefix?: unknown } } | undefined)?.options
  return typeof options?.inboxPrefix === 'string' ? options.inboxPrefix : '_INBOX'
}
