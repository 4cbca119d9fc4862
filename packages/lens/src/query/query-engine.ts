import { limits } from '../limits.ts'
import type { Span } from '../model.ts'
import type { ServiceSummary, TraceFilter, TraceStore } from '../store.ts'
import { buildTraceView, type TraceView } from './trace-view.ts'

/** A trace in the list, as plain JSON. */
export interface TraceListEntry {
  readonly traceId: string
  readonly rootName: string
  readonly rootService: string
  readonly services: readonly string[]
  readonly spanCount: number
  readonly errorCount: number
  /** Spans that have not ended yet, as far as is known. */
  readonly pendingCount: number
  /** Spans whose process died before their end. */
  readonly interruptedCount: number
  /** Nanoseconds since 1970 as decimal text. */
  readonly startTimeUnixNano: string
  readonly durationMs: number
}

/** What a trace leaves out when it is asked for without details: one span's attributes and where it came from. */
export interface SpanDetails extends Pick<Span, 'attributes' | 'traceState' | 'droppedCount'> {
  readonly resource: Span['source']['resource']
  readonly scopeName: string
  readonly scopeVersion: string
  readonly scopeAttributes: Span['source']['scopeAttributes']
}

/** What page, terminal and API ask. One place, so that all three show the same. */
export interface QueryEngine {
  /** undefined when the trace is unknown. Without `details`, spans come without attributes. */
  trace(traceId: string, options: { readonly details: boolean }): Promise<TraceView | undefined>
  spanDetails(traceId: string, spanId: string): Promise<SpanDetails | undefined>
  traces(filter: TraceFilter): Promise<readonly TraceListEntry[]>
  services(): Promise<readonly ServiceSummary[]>
}

export function queryEngine(store: TraceStore): QueryEngine {
  return {
    async trace(traceId, { details }) {
      const stored = await store.trace(traceId, { spansMax: limits.traceSpansMax, attributes: details })
      return stored && buildTraceView(traceId, stored)
    },
    async spanDetails(traceId, spanId) {
      const span = await store.span(traceId, spanId)
      if (span === undefined) return undefined
      const { resource, scopeName, scopeVersion, scopeAttributes } = span.source
      const { attributes = {}, traceState, droppedCount } = span
      return { attributes, traceState, droppedCount, resource, scopeName, scopeVersion, scopeAttributes }
    },
    async traces(filter) {
      const summaries = await store.traces(filter)
      return summaries.map((s) => ({ ...s, startTimeUnixNano: String(s.startTimeUnixNano) }))
    },
    services: () => store.services(),
  }
}
