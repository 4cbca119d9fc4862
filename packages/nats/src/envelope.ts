import type { MsgHdrs, Payload } from '@nats-io/nats-core'
import { headers as newHeaders } from '@nats-io/nats-core'
import { type Context, trace } from '@opentelemetry/api'
import { copyHeaders, extractFromHeaders, headersOf, type Propagator, spanContextOf } from './carrier.ts'

/**
 * Reads and writes the context of messages whose payload is an envelope with a place for it; `cloudEventEnvelope()` of
 * @throughline/cloudevents is one. Neither function may throw, or keep the payload.
 */
export interface EnvelopeCarrier {
  /** What is to be added to a message so that its envelope carries `context`; undefined leaves it as it is. */
  inject(context: Context, message: EnvelopeMessage): EnvelopeAddition | undefined
  /** The context in the envelope on top of `base`; `base` where there is none. */
  extract(base: Context, message: EnvelopeMessage): Context
}

export interface EnvelopeMessage {
  readonly headers: Iterable<readonly [string, readonly string[]]> | undefined
  readonly payload: Uint8Array
}

/** A member that is missing stays as it is. */
export interface EnvelopeAddition {
  readonly payload?: Uint8Array
  /** Added to those of the message. */
  readonly headers?: readonly (readonly [string, string])[]
}

/** What goes out: the headers, and the payload where it is not the given one. */
export interface Carried {
  readonly headers: MsgHdrs | undefined
  readonly payload: Payload | undefined
}

/** Puts the context into the envelope as well. `given` are the user's own headers, which stay untouched. */
export function injectIntoEnvelope(
  carrier: EnvelopeCarrier | undefined,
  context: Context,
  { headers, payload, given }: Carried & { readonly given: MsgHdrs | undefined },
): Carried {
  // Without a context in the headers there is none for the envelope either.
  if (carrier === undefined || payload === undefined || headers === given) return { headers, payload }
  try {
    const bytes = typeof payload === 'string' ? new TextEncoder().encode(payload) : payload
    const addition = carrier.inject(context, { headers, payload: bytes })
    if (addition === undefined) return { headers, payload }
    return { headers: withAdded(headers, addition.headers), payload: addition.payload ?? payload }
  } catch {
    return { headers, payload }
  }
}

function withAdded(source: MsgHdrs | undefined, added: EnvelopeAddition['headers']): MsgHdrs | undefined {
  if (added === undefined) return source
  const target = source === undefined ? newHeaders() : copyHeaders(source)
  for (const [name, value] of added) target.append(name, value)
  return target
}

interface CarryingMessage {
  readonly headers?: MsgHdrs | undefined
  readonly data: Uint8Array
}

/** The context that a message brings: that of its headers if it is valid, else that of its envelope. */
export function extractFromHeadersOrEnvelope(
  message: CarryingMessage,
  base: Context,
  carriers: { readonly propagator: Propagator | undefined; readonly envelope: EnvelopeCarrier | undefined },
): Context {
  const { propagator, envelope } = carriers
  if (envelope === undefined) return extractFromHeaders(headersOf(message), base, propagator)
  const inHeaders = extractFromHeaders(headersOf(message), trace.deleteSpan(base), propagator)
  if (spanContextOf(inHeaders) !== undefined) return inHeaders
  try {
    const inEnvelope = envelope.extract(inHeaders, { headers: headersOf(message), payload: message.data })
    return spanContextOf(inEnvelope) === undefined ? base : inEnvelope
  } catch {
    return base
  }
}
