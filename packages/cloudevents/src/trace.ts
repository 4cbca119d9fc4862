import {
  type Attributes,
  type Context,
  context,
  createContextKey,
  type Link,
  propagation,
  type Span,
  type SpanContext,
  SpanKind,
  SpanStatusCode,
  type TracerProvider,
  trace,
} from '@opentelemetry/api'
import { errorType, eventAttributes, shortened } from './attributes.ts'
import {
  extractContext,
  extractFromEvent,
  headersOf,
  injectIntoEvent,
  type Propagator,
  spanContextOf,
} from './carrier.ts'
import type { CloudEvent, EventResult, ReadLimits } from './event.ts'
import {
  type Binding,
  type ContentMode,
  type EventMessage,
  readEvent,
  type WrittenMessage,
  writeEvent,
} from './message.ts'

const scope = { name: '@throughline/cloudevents', version: '0.1.0' }

/** The key under which instrumentation finds that it is to make no span of its own. */
const suppressTracingKey: symbol = createContextKey('OpenTelemetry SDK Context Key SUPPRESS_TRACING')

/** What sending and processing have in common. All optional. */
export interface EventTracingOptions {
  /** Default: OpenTelemetry's global one. */
  readonly tracerProvider?: TracerProvider | undefined
  /** Default: OpenTelemetry's global one. */
  readonly propagator?: Propagator | undefined
  /** Maps the type of an event to what stands in the name of its span, for types with ids in them. Default: the type. */
  readonly typeTemplate?: ((type: string) => string) | undefined
  /** Added to the span, before those of the conventions where keys meet. */
  readonly attributes?: Attributes | undefined
}

export interface SendEventOptions extends EventTracingOptions {
  readonly binding: Binding
  /** Default: `json` on NATS, `binary` over HTTP. */
  readonly mode?: ContentMode | undefined
  /**
   * True: instrumentation of the transport makes its own span below, and its header names that one, one hop further than
   * the envelope. Default: false, header and envelope are equal, as the extension wants it.
   */
  readonly transportSpan?: boolean | undefined
}

/**
 * Sends an event inside a PRODUCER span `CloudEvents Create <type>`. `send` gets the message to send: headers and envelope
 * both carry that span's context, but an event that has a `traceparent` already keeps it, and its start is linked. The span
 * ends when what `send` returns settles. Throws a CloudEventError for an event that cannot be written, and what `send`
 * throws.
 */
export function sendEvent<T>(
  event: CloudEvent,
  options: SendEventOptions,
  send: (message: WrittenMessage, span: Span) => T,
): T {
  const propagator = options.propagator ?? propagation
  const start = spanContextOf(extractFromEvent(event, undefined, propagator))
  const span = startSpan('Create', event.type, {
    options,
    kind: SpanKind.PRODUCER,
    links: start === undefined ? [] : [start],
    parent: context.active(),
    attributes: eventAttributes(event),
  })
  const within = trace.setSpan(context.active(), span)
  return runInside(span, options.transportSpan === true ? within : suppressed(within), () => {
    const { binding, mode = binding === 'nats' ? 'json' : 'binary' } = options
    const written = writeEvent(injectIntoEvent(event, within, propagator), mode, binding)
    return send({ ...written, headers: [...written.headers, ...headersOf(within, propagator)] }, span)
  })
}

export interface ProcessEventOptions extends EventTracingOptions {
  readonly binding: Binding
  readonly limits?: ReadLimits | undefined
  /**
   * What the context of a message is worth: `continue` (default) makes its sender's span the parent, `restart-with-link`
   * starts a trace that is linked to it and ignores its baggage, for events that strangers can send.
   */
  readonly trust?: 'continue' | 'restart-with-link' | undefined
}

/**
 * Reads the event of a message, and runs `handler` in a CONSUMER span `CloudEvents Process <type>`. Its parent is the
 * span in the headers, else the one in the envelope, and the start of the transmission is linked. Where instrumentation of
 * the transport has continued that trace already, the active span is the parent. A message that is no event has a span
 * with the status ERROR, and the handler gets to know why. The span ends when what the handler returns settles.
 */
export function processEvent<T>(
  message: EventMessage,
  options: ProcessEventOptions,
  handler: (result: EventResult, span: Span) => T,
): T {
  const propagator = options.propagator ?? propagation
  const result = readEvent(message, options.binding, options.limits)
  const { event, error } = result
  const active = context.active()
  const carried = extractContext({ headers: message.headers, event }, active, propagator)
  const hop = spanContextOf(carried)
  const start =
    event === undefined ? undefined : spanContextOf(extractFromEvent(event, undefined, propagator))
  const parent = options.trust === 'restart-with-link' ? strangerless(active) : parentOf(active, carried)
  const span = startSpan('Process', event?.type, {
    options,
    kind: SpanKind.CONSUMER,
    links: distinct([hop, start]),
    parent,
    attributes: event === undefined ? {} : eventAttributes(event),
  })
  if (error !== undefined) {
    span.setAttribute(errorType, error.code)
    span.setStatus({ code: SpanStatusCode.ERROR, message: error.text })
  }
  return runInside(span, trace.setSpan(parent, span), () => handler(result, span))
}

/** The transport's own span of this message, where it has one, else what the message brought. */
function parentOf(active: Context, carried: Context): Context {
  const own = spanContextOf(active)
  const brought = spanContextOf(carried)
  return own !== undefined && brought !== undefined && own.traceId === brought.traceId ? active : carried
}

function strangerless(active: Context): Context {
  return propagation.deleteBaggage(trace.deleteSpan(active))
}

function distinct(contexts: readonly (SpanContext | undefined)[]): SpanContext[] {
  const bySpan = new Map<string, SpanContext>()
  for (const one of contexts) if (one !== undefined) bySpan.set(`${one.traceId}-${one.spanId}`, one)
  return [...bySpan.values()]
}

interface StartOptions {
  readonly options: EventTracingOptions
  readonly kind: SpanKind
  readonly links: readonly SpanContext[]
  readonly parent: Context
  readonly attributes: Attributes
}

function startSpan(operation: string, type: string | undefined, start: StartOptions): Span {
  const { options, kind, parent } = start
  const tracer = (options.tracerProvider ?? trace.getTracerProvider()).getTracer(scope.name, scope.version)
  const name =
    type === undefined ? `CloudEvents ${operation}` : `CloudEvents ${operation} ${typeInName(type, options)}`
  const links: Link[] = start.links.map((linked) => ({ context: linked }))
  return tracer.startSpan(
    name,
    { kind, links, attributes: { ...start.attributes, ...options.attributes } },
    parent,
  )
}

function typeInName(type: string, { typeTemplate }: EventTracingOptions): string {
  try {
    return shortened(typeTemplate?.(type) ?? type)
  } catch {
    return shortened(type)
  }
}

function suppressed(within: Context): Context {
  return within.setValue(suppressTracingKey, true)
}

function runInside<T>(span: Span, within: Context, run: () => T): T {
  let result: T
  try {
    result = context.with(within, run)
  } catch (error) {
    endWithError(span, error)
    throw error
  }
  if (!isPromise(result)) {
    span.end()
    return result
  }
  const settled = result.then(
    (value) => {
      span.end()
      return value
    },
    (error: unknown) => {
      endWithError(span, error)
      throw error
    },
  )
  // The promise type is kept: the derived promise settles as the given one does.
  return settled as T
}

function endWithError(span: Span, error: unknown): void {
  const known = error instanceof Error ? error : new Error(String(error))
  span.recordException(known)
  span.setAttribute(errorType, known.name)
  span.setStatus({ code: SpanStatusCode.ERROR, message: known.message })
  span.end()
}

function isPromise(value: unknown): value is Promise<unknown> {
  return typeof (value as { then?: unknown } | null | undefined)?.then === 'function'
}
