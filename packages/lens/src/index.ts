export { LensError, type LensErrorCode } from './errors.ts'
export type { Lens, LensOptions } from './lens.ts'
export type { ClockSkew } from './query/clock-skew.ts'
export type { SpanDetails, TraceListEntry } from './query/query-engine.ts'
export type {
  EventView,
  LinkView,
  LogView,
  QueueTime,
  SourceView,
  SpanKindName,
  SpanView,
  StatusName,
  TraceView,
} from './query/trace-view.ts'
export { startLens } from './start-lens.ts'
export { type RenderOptions, renderTrace } from './terminal/render-trace.ts'
export { renderTraces } from './terminal/render-traces.ts'
