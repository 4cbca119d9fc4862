import {
  type Context,
  isSpanContextValid,
  type TextMapGetter,
  type TextMapPropagator,
  type TextMapSetter,
} from '@opentelemetry/api'
import { contextWithSpan, isTracingSuppressed, spanOf } from './context.ts'
import { IdentifiedSpan } from './identified-span.ts'
import { serializeTraceState } from './non-recording-span.ts'
import { formatTraceparent, parseTraceparent } from './traceparent.ts'
import { normalizeTraceState } from './tracestate.ts'

/** The header names of W3C Trace Context, in the lower case that should be written. */
export const traceparentHeader = 'traceparent'
export const tracestateHeader = 'tracestate'

/**
 * W3C Trace Context level 2. `extract` of anything missing or malformed returns the context it was given; neither
 * direction throws. https://www.w3.org/TR/trace-context-2/
 */
export function w3cTraceContextPropagator(): TextMapPropagator {
  return { inject, extract, fields: () => [traceparentHeader, tracestateHeader] }
}

function inject(context: Context, carrier: unknown, setter: TextMapSetter): void {
  const span = spanOf(context)
  if (span === undefined || isTracingSuppressed(context)) return
  try {
    if (span instanceof IdentifiedSpan) {
      if ((span.spanId0 | span.spanId1) === 0) return
      setter.set(carrier, traceparentHeader, formatTraceparent(span))
      if (span.traceStateText !== '') setter.set(carrier, tracestateHeader, span.traceStateText)
      return
    }
    const spanContext = span.spanContext()
    if (!isSpanContextValid(spanContext)) return
    setter.set(carrier, traceparentHeader, formatTraceparent(spanContext))
    const traceStateText = serializeTraceState(spanContext.traceState)
    if (traceStateText !== '') setter.set(carrier, tracestateHeader, traceStateText)
  } catch {
    // A foreign span or setter failed: the request goes out without trace context.
  }
}

function extract(context: Context, carrier: unknown, getter: TextMapGetter): Context {
  try {
    const traceparent = single(getter.get(carrier, traceparentHeader))
    if (traceparent === undefined) return context
    const traceStateText = joined(getter.get(carrier, tracestateHeader))
    const span = parseTraceparent(
      traceparent,
      traceStateText === '' ? '' : normalizeTraceState(traceStateText),
    )
    return span === undefined ? context : contextWithSpan(context, span)
  } catch {
    return context
  }
}

/** Two traceparents are none: nobody knows which one is meant. */
function single(value: undefined | string | string[]): string | undefined {
  if (typeof value === 'string') return value
  return Array.isArray(value) && value.length === 1 && typeof value[0] === 'string' ? value[0] : undefined
}

/** Several tracestate headers are one list. https://www.w3.org/TR/trace-context-2/#tracestate-header-field-values */
function joined(value: undefined | string | string[]): string {
  if (typeof value === 'string') return value
  return Array.isArray(value) ? value.join(',') : ''
}
