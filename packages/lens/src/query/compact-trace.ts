import type { SpanView, TraceView } from './trace-view.ts'

/**
 * A trace for the page: what most spans have in common is left out. Half the bytes of the plain form, and at 50,000 spans
 * these bytes are most of the time between a click and the waterfall.
 */
export interface CompactTrace extends Omit<TraceView, 'spans'> {
  readonly spans: readonly CompactSpan[]
}

/** Fields that are left out when they are as usual. The service is always left out: it is that of the span's source. */
type UsualField =
  | 'parentSpanId'
  | 'missingParent'
  | 'descendantCount'
  | 'status'
  | 'statusMessage'
  | 'events'
  | 'links'
  | 'droppedCount'
  | 'traceState'

export type CompactSpan = Omit<SpanView, 'service' | UsualField> & Partial<SpanView>

const usual: Pick<SpanView, UsualField> = {
  parentSpanId: '',
  missingParent: false,
  descendantCount: 0,
  status: 'UNSET',
  statusMessage: '',
  events: [],
  links: [],
  droppedCount: 0,
  traceState: '',
}

export const compactTrace = (trace: TraceView): CompactTrace => ({
  ...trace,
  spans: trace.spans.map(compactSpan),
})

type Draft<T> = { -readonly [K in keyof T]: T[K] }

function compactSpan(span: SpanView): CompactSpan {
  const compact: Draft<CompactSpan> = {
    spanId: span.spanId,
    depth: span.depth,
    name: span.name,
    kind: span.kind,
    startMs: span.startMs,
    durationMs: span.durationMs,
    source: span.source,
  }
  if (span.parentSpanId !== '') compact.parentSpanId = span.parentSpanId
  if (span.missingParent) compact.missingParent = true
  if (span.descendantCount > 0) compact.descendantCount = span.descendantCount
  if (span.status !== 'UNSET') compact.status = span.status
  if (span.statusMessage !== '') compact.statusMessage = span.statusMessage
  if (span.queue !== undefined) compact.queue = span.queue
  if (span.events.length > 0) compact.events = span.events
  if (span.links.length > 0) compact.links = span.links
  if (span.droppedCount > 0) compact.droppedCount = span.droppedCount
  if (span.traceState !== '') compact.traceState = span.traceState
  return compact
}

/** The inverse, except that attributes stay behind. */
export const expandTrace = (trace: CompactTrace): TraceView => ({
  ...trace,
  spans: trace.spans.map((span) => ({
    ...usual,
    service: trace.sources[span.source]?.service ?? '',
    ...span,
  })),
})
