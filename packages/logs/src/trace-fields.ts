import { isSpanContextValid, trace } from '@opentelemetry/api'

/** The two fields of a log line that name its span: 32 and 16 lower-case hex characters. */
export interface TraceFields {
  readonly trace_id: string
  readonly span_id: string
}

/**
 * The ids of the active span, or undefined where there is none or its context is not valid. A span that is not sampled
 * has ids too: its log lines correlate even though it is not exported.
 *
 * Works with any OpenTelemetry SDK; costs one look-up of the active context.
 */
export function activeTraceFields(): TraceFields | undefined {
  const spanContext = trace.getActiveSpan()?.spanContext()
  if (spanContext === undefined || !isSpanContextValid(spanContext)) return undefined
  return { trace_id: spanContext.traceId, span_id: spanContext.spanId }
}
