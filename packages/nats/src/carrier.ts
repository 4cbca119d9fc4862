import { headers, Match, type MsgHdrs, MsgHdrsImpl } from '@nats-io/nats-core'
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

/** OpenTelemetry's global propagator has these two functions as well. */
export type Propagator = Pick<TextMapPropagator, 'inject' | 'extract' | 'fields'>

/**
 * The context that a message's headers carry, on top of `base`. Names are read in any case (Go writes `Traceparent`) and
 * several values of one name are joined. Missing and malformed context is never an error: the answer is then `base`.
 */
export function extractFromHeaders(
  source: MsgHdrs | undefined,
  base: Context = ROOT_CONTEXT,
  propagator: Propagator = propagation,
): Context {
  if (source === undefined) return base
  try {
    return propagator.extract(base, source, headersGetter)
  } catch {
    return base
  }
}

/**
 * Headers that carry `context`: a copy of `source`, which belongs to its owner, with the propagator's fields replaced and
 * their names in lower case. `source` itself when there is nothing to carry; undefined when there is no source either.
 */
export function injectIntoHeaders(
  context: Context,
  source?: MsgHdrs,
  propagator: Propagator = propagation,
): MsgHdrs | undefined {
  const carrier: HeadersCarrier = { source, propagator, headers: undefined }
  try {
    propagator.inject(context, carrier, headersSetter)
  } catch {
    // A propagator that fails, or writes what NATS forbids in a header, costs the context but not the message.
  }
  return carrier.headers ?? source
}

/** The headers of a message; the client throws where it reads one whose headers no client could have written. */
export function headersOf(message: { readonly headers?: MsgHdrs | undefined }): MsgHdrs | undefined {
  try {
    return message.headers
  } catch {
    return undefined
  }
}

/** The valid span context in `context`, else undefined. */
export function spanContextOf(context: Context): SpanContext | undefined {
  const spanContext = trace.getSpanContext(context)
  return spanContext !== undefined && isSpanContextValid(spanContext) ? spanContext : undefined
}

interface HeadersCarrier {
  readonly source: MsgHdrs | undefined
  readonly propagator: Propagator
  headers: MsgHdrs | undefined
}

const headersSetter: TextMapSetter<HeadersCarrier> = {
  set(carrier, key, value) {
    if (carrier.headers === undefined) {
      carrier.headers = copyWithout(carrier.source, carrier.propagator.fields())
    }
    const name = key.toLowerCase()
    if (carrier.source === undefined) setFresh(carrier.headers, name, value)
    else carrier.headers.set(name, value, Match.IgnoreCase)
  },
}

const validNames = new Set<string>()

/** In headers that are ours alone nobody has spelt the name otherwise, which set() would look for, for a microsecond. */
function setFresh(target: MsgHdrs, name: string, value: string): void {
  if (
    target instanceof MsgHdrsImpl &&
    validNames.has(name) &&
    !value.includes('\r') &&
    !value.includes('\n')
  ) {
    target.headers.set(name, [value.trim()])
    return
  }
  target.set(name, value)
  if (validNames.size < validNamesMax) validNames.add(name)
}

const validNamesMax = 16

export function copyHeaders(source: MsgHdrs): MsgHdrs {
  return copyWithout(source, [])
}

function copyWithout(source: MsgHdrs | undefined, fields: readonly string[]): MsgHdrs {
  if (source === undefined) return headers()
  // The status line is the user's too; a code without a text is none that headers() would make.
  const copy =
    source.code > 0 && source.description !== '' ? headers(source.code, source.description) : headers()
  for (const [name, values] of source) {
    // The tracestate of another traceparent must not stay behind. Baggage is the user's to set by hand.
    const lowerName = name.toLowerCase()
    if (lowerName !== 'baggage' && fields.includes(lowerName)) continue
    for (const value of values) copy.append(name, value)
  }
  return copy
}

const headersGetter: TextMapGetter<MsgHdrs> = {
  keys: (carrier) => carrier.keys(),
  get(carrier, key) {
    const wanted = key.toLowerCase()
    let found: string | undefined
    for (const [name, values] of carrier) {
      if (name.length !== wanted.length || name.toLowerCase() !== wanted) continue
      for (const value of values) {
        if (found === undefined) found = value
        // A relay that keeps `Traceparent` and adds the same `traceparent` has said one thing, twice.
        else if (found !== value) found = `${found},${value}`
      }
    }
    return found
  },
}
