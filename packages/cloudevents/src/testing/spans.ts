import { SpanKind, SpanStatusCode } from '@opentelemetry/api'
import { type ReadableSpan, TracerProvider, w3cTraceContextPropagator } from '@throughline/trace'

/** A span as the tests speak of it. */
export interface SpanView {
  readonly name: string
  readonly kind: string
  readonly traceId: string
  readonly spanId: string
  readonly parentId: string | undefined
  readonly linkIds: readonly string[]
  readonly attributes: Readonly<Record<string, unknown>>
  readonly error: string | undefined
}

export function done(): Promise<void> {
  return Promise.resolve()
}

/** Throughline's and OpenTelemetry's readable spans have all that is needed. */
export function viewOf(
  span: Pick<
    ReadableSpan,
    'name' | 'kind' | 'spanContext' | 'parentSpanContext' | 'attributes' | 'status'
  > & { readonly links: readonly { readonly context: { readonly spanId: string } }[] },
): SpanView {
  return {
    name: span.name,
    kind: SpanKind[span.kind],
    traceId: span.spanContext().traceId,
    spanId: span.spanContext().spanId,
    parentId: span.parentSpanContext?.spanId,
    linkIds: span.links.map((link) => link.context.spanId),
    attributes: span.attributes,
    error: span.status.code === SpanStatusCode.ERROR ? (span.status.message ?? '') : undefined,
  }
}

/** All spans that ended, under Throughline's tracer, registered globally. */
export function recordSpans(): SpanView[] {
  const spans: SpanView[] = []
  const onEnd = (span: ReadableSpan): void => void spans.push(viewOf(span))
  new TracerProvider({
    spanProcessors: [{ onStart() {}, onEnd, forceFlush: done, shutdown: done }],
  }).register({ propagator: w3cTraceContextPropagator() })
  return spans
}
