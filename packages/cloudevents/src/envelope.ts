import { type Context, propagation } from '@opentelemetry/api'
import { extractFromEvent, type Propagator, traceExtension } from './carrier.ts'
import { type ReadLimits, sizeBytesMaxDefault } from './event.ts'
import { encodeHeaderValue, type HeaderSource } from './headers.ts'
import { detectMode, readEvent } from './message.ts'
import { attributeField } from './protobuf.ts'

/** What is to be added to a message so that its envelope carries the context; a member that is missing stays as it is. */
export interface EnvelopeAddition {
  readonly payload?: Uint8Array
  readonly headers?: readonly (readonly [string, string])[]
}

/** Reads and writes the context of a message whose payload is an envelope. */
export interface EnvelopeCarrier {
  /** Undefined: nothing to add, since it is no event, or has its context already. */
  inject(context: Context, message: EnvelopeMessage): EnvelopeAddition | undefined
  /** On top of `base`, which is the answer where the envelope has none. */
  extract(base: Context, message: EnvelopeMessage): Context
}

export interface EnvelopeMessage {
  readonly headers: HeaderSource | undefined
  readonly payload: Uint8Array
}

export interface EnvelopeOptions extends ReadLimits {
  /** Default: OpenTelemetry's global one. */
  readonly propagator?: Propagator | undefined
}

/**
 * For `traceNats(connection, { envelope: cloudEventEnvelope() })`: events that are published over the connection, in any
 * of the three modes, get the extension from the very span that the header names, unless they have it; and a message
 * without valid headers continues the trace of its envelope. Nothing is decoded and encoded again: the attribute is put
 * into the bytes as they are.
 */
export function cloudEventEnvelope(options: EnvelopeOptions = {}): EnvelopeCarrier {
  const propagator = options.propagator ?? propagation
  return {
    inject: (context, message) => addition(context, message, { propagator, limits: options }),
    extract(base, { headers, payload }) {
      const { event } = readEvent({ headers, body: payload }, 'nats', options)
      return event === undefined ? base : extractFromEvent(event, base, propagator)
    },
  }
}

function addition(
  context: Context,
  { headers, payload }: EnvelopeMessage,
  { propagator, limits }: { readonly propagator: Propagator; readonly limits: ReadLimits },
): EnvelopeAddition | undefined {
  const { mode } = detectMode({ headers, body: payload }, 'nats')
  if (mode === undefined || mode === 'json-batch') return undefined
  // What a message looks like may be chance: only a whole, valid event is touched.
  const { event } = readEvent({ headers, body: payload }, 'nats', limits)
  if (event === undefined || event.extensions?.['traceparent'] !== undefined) return undefined
  const { traceparent, tracestate } = traceExtension(context, propagator)
  // A tracestate that stands alone belongs to nothing; a second one beside it would make the event invalid.
  if (traceparent === undefined || event.extensions?.['tracestate'] !== undefined) return undefined
  const attributes: [string, string][] = [['traceparent', traceparent]]
  if (tracestate !== undefined) attributes.push(['tracestate', tracestate])
  if (mode === 'binary') {
    return { headers: attributes.map(([name, value]) => [`ce-${name}`, encodeHeaderValue(value)]) }
  }
  const extended = mode === 'json' ? withMembers(payload, attributes) : withFields(payload, attributes)
  return extended.length > (limits.sizeBytesMax ?? sizeBytesMaxDefault) ? undefined : { payload: extended }
}

/** The members of a JSON object with some put before them. The object is not empty: it is an event. */
function withMembers(payload: Uint8Array, attributes: readonly (readonly [string, string])[]): Uint8Array {
  const brace = payload.indexOf(0x7b)
  const members = attributes.map(([name, value]) => `${JSON.stringify(name)}:${JSON.stringify(value)},`)
  return joined([
    payload.subarray(0, brace + 1),
    new TextEncoder().encode(members.join('')),
    payload.subarray(brace + 1),
  ])
}

/** Protobuf joins messages by joining their bytes. */
function withFields(payload: Uint8Array, attributes: readonly (readonly [string, string])[]): Uint8Array {
  return joined([payload, ...attributes.map(([name, value]) => attributeField(name, value))])
}

function joined(parts: readonly Uint8Array[]): Uint8Array {
  return new Uint8Array(Buffer.concat(parts))
}
