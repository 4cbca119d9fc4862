import {
  type Context,
  isSpanContextValid,
  propagation,
  ROOT_CONTEXT,
  type SpanContext,
  type TextMapGetter,
  type TextMapPropagator,
  type TextMapSetter,
  trace,
} from '@opentelemetry/api'
import type { CloudEvent } from './event.ts'
import { type HeaderSource, headerEntries, headerValue } from './headers.ts'

/** OpenTelemetry's global propagator has these functions as well. */
export type Propagator = Pick<TextMapPropagator, 'inject' | 'extract' | 'fields'>

/** The distributed-tracing extension: where the transmission of an event started. */
export type TraceExtension = Readonly<Partial<Record<'traceparent' | 'tracestate' | 'baggage', string>>>

/**
 * The event with `context` in its extensions, as the start of its transmission: `traceparent` and `tracestate`. An event
 * that has a `traceparent` is given back as it is, since no hop rewrites it.
 * https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/extensions/distributed-tracing.md
 */
export function injectIntoEvent(
  event: CloudEvent,
  context: Context,
  propagator: Propagator = propagation,
): CloudEvent {
  if (event.extensions?.['traceparent'] !== undefined) return event
  const { traceparent, tracestate } = traceExtension(context, propagator)
  if (traceparent === undefined) return event
  const { tracestate: _stale, ...extensions } = event.extensions ?? {}
  return {
    ...event,
    extensions: { ...extensions, traceparent, ...(tracestate === undefined ? undefined : { tracestate }) },
  }
}

/** What an envelope says of `context`; empty where there is nothing to say. */
export function traceExtension(context: Context, propagator: Propagator): TraceExtension {
  return injected(context, propagator)
}

/** The context in the event's extensions on top of `base`; missing and malformed context is never an error. */
export function extractFromEvent(
  event: CloudEvent,
  base: Context = ROOT_CONTEXT,
  propagator: Propagator = propagation,
): Context {
  return extracted(base, event.extensions ?? {}, { propagator, getter: extensionGetter })
}

/** The context in a message's headers on top of `base`. Names are read in any case, several values are joined. */
export function extractFromHeaders(
  headers: HeaderSource | undefined,
  base: Context = ROOT_CONTEXT,
  propagator: Propagator = propagation,
): Context {
  if (headers === undefined) return base
  return extracted(base, headers, { propagator, getter: headersGetter })
}

/**
 * The hop's context if its headers carry a valid one, else the one in the envelope, else `base` without any span.
 */
export function extractContext(
  message: { readonly headers: HeaderSource | undefined; readonly event: CloudEvent | undefined },
  base: Context = ROOT_CONTEXT,
  propagator: Propagator = propagation,
): Context {
  const stranger = trace.deleteSpan(base)
  const hop = extractFromHeaders(message.headers, stranger, propagator)
  if (message.event === undefined || spanContextOf(hop) !== undefined) return hop
  return extractFromEvent(message.event, hop, propagator)
}

/** The headers that carry `context`, with lower-case names. */
export function headersOf(context: Context, propagator: Propagator): [string, string][] {
  return Object.entries(injected(context, propagator))
}

/** The valid span context in `context`, else undefined. */
export function spanContextOf(context: Context): SpanContext | undefined {
  const spanContext = trace.getSpanContext(context)
  return spanContext !== undefined && isSpanContextValid(spanContext) ? spanContext : undefined
}

function injected(context: Context, propagator: Propagator): Record<string, string> {
  const carrier: Record<string, string> = {}
  try {
    propagator.inject(context, carrier, lowerCaseSetter)
  } catch {
    // A propagator that fails costs the context but not the event.
  }
  return carrier
}

function extracted<C>(
  base: Context,
  carrier: C,
  { propagator, getter }: { readonly propagator: Propagator; readonly getter: TextMapGetter<C> },
): Context {
  try {
    return propagator.extract(base, carrier, getter)
  } catch {
    return base
  }
}

const lowerCaseSetter: TextMapSetter<Record<string, string>> = {
  set(carrier, key, value) {
    carrier[key.toLowerCase()] = value
  },
}

type Extensions = NonNullable<CloudEvent['extensions']>

/** `baggage` is read, since envelopes with it exist, and never written: the extension has no such attribute. */
const extensionGetter: TextMapGetter<Extensions> = {
  keys: () => ['traceparent', 'tracestate', 'baggage'],
  get(carrier, key) {
    const name = key.toLowerCase()
    if (name !== 'traceparent' && name !== 'tracestate' && name !== 'baggage') return undefined
    const value = Object.hasOwn(carrier, name) ? carrier[name] : undefined
    return typeof value === 'string' ? value : undefined
  },
}

const headersGetter: TextMapGetter<HeaderSource> = {
  keys: (carrier) => [...headerEntries(carrier)].map(([name]) => name),
  get: (carrier, key) => headerValue(carrier, key.toLowerCase()),
}
