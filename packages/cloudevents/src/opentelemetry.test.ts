import { context, propagation, trace } from '@opentelemetry/api'
import { AsyncLocalStorageContextManager } from '@opentelemetry/context-async-hooks'
import { W3CTraceContextPropagator } from '@opentelemetry/core'
import { BasicTracerProvider } from '@opentelemetry/sdk-trace-base'
import { done, type SpanView, viewOf } from './testing/spans.ts'
import { traceContract } from './testing/trace-contract.ts'

const spans: SpanView[] = []
const processor = {
  onStart() {},
  onEnd: (span: Parameters<typeof viewOf>[0]) => void spans.push(viewOf(span)),
  forceFlush: done,
  shutdown: done,
}
trace.setGlobalTracerProvider(new BasicTracerProvider({ spanProcessors: [processor] }))
context.setGlobalContextManager(new AsyncLocalStorageContextManager().enable())
propagation.setGlobalPropagator(new W3CTraceContextPropagator())

traceContract(spans)
