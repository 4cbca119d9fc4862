import {
  type Context,
  propagation,
  type TextMapGetter,
  type TextMapPropagator,
  type TextMapSetter,
} from '@opentelemetry/api'
import { baggageEntries, formatBaggage, parseBaggage } from './baggage-text.ts'
import { isTracingSuppressed } from './context.ts'

export const baggageHeader = 'baggage'

/**
 * W3C Baggage. Bounded in both directions (180 entries, 8192 bytes), and neither direction throws: what cannot be read
 * or written is left out. https://www.w3.org/TR/baggage/
 */
export function w3cBaggagePropagator(): TextMapPropagator {
  return { inject, extract, fields: () => [baggageHeader] }
}

function inject(context: Context, carrier: unknown, setter: TextMapSetter): void {
  const baggage = propagation.getBaggage(context)
  if (baggage === undefined || isTracingSuppressed(context)) return
  try {
    const text = formatBaggage(baggageEntries(baggage))
    if (text !== '') setter.set(carrier, baggageHeader, text)
  } catch {
    // A foreign setter failed: the request goes out without baggage.
  }
}

function extract(context: Context, carrier: unknown, getter: TextMapGetter): Context {
  try {
    const value = getter.get(carrier, baggageHeader)
    const text = Array.isArray(value) ? value.join(',') : value
    if (typeof text !== 'string' || text === '') return context
    const entries = parseBaggage(text)
    return entries === undefined
      ? context
      : propagation.setBaggage(context, propagation.createBaggage(entries))
  } catch {
    return context
  }
}
