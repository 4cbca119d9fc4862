export {
  type BatchCounts,
  type BatchSpanProcessor,
  type BatchSpanProcessorOptions,
  batchSpanProcessor,
} from './batch-span-processor.ts'
export { compositePropagator } from './composite-propagator.ts'
export { type Environment, extractFromEnvironment, injectIntoEnvironment } from './environment-carrier.ts'
export type { IdGenerator } from './id-source.ts'
export { type Sampler, SamplingDecision, type SamplingResult } from './sampler.ts'
export {
  alwaysOffSampler,
  alwaysOnSampler,
  type ParentBasedSamplerOptions,
  parentBasedSampler,
  traceIdRatioSampler,
} from './samplers.ts'
export type { LiveSpanCount, ParentOrigin, SamplingResultName, StartedSpanCount } from './span-counts.ts'
export type { SpanLimits } from './span-limits.ts'
export type {
  ExportResult,
  ReadableEvent,
  ReadableResource,
  ReadableSpan,
  SpanExporter,
  SpanProcessor,
} from './span-processor.ts'
export { TraceError, type TraceErrorCode } from './trace-error.ts'
export type { StartSpanOptions, Tracer } from './tracer.ts'
export { type RegisterOptions, TracerProvider, type TracerProviderOptions } from './tracer-provider.ts'
export { w3cBaggagePropagator } from './w3c-baggage-propagator.ts'
export { w3cTraceContextPropagator } from './w3c-trace-context-propagator.ts'

// For other packages: what sinks get, the clock that they count by, and contexts without a copied Map.

export { type Clock, SystemClock, timeInputToMs } from './clock.ts'
export { ContextHolder, contextWithSpan, rootContext } from './context.ts'
export { AsyncContextManager, enterContext } from './context-manager.ts'
export {
  OpenSpans,
  type OpenSpansOptions,
  type SnapshotChange,
  snapshotOf,
  spanInterruptionKey,
  spanStateKey,
} from './open-spans.ts'
export type {
  AttributeBlock,
  AttributeValue,
  EventRecord,
  FlatAttributes,
  LinkRecord,
  RecordedSpan,
  RecordingSpan,
  ScopeRecord,
  SpanSink,
} from './records.ts'
