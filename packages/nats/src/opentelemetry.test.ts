import { context, propagation, trace } from '@opentelemetry/api'
import { AsyncLocalStorageContextManager } from '@opentelemetry/context-async-hooks'
import { CompositePropagator, W3CBaggagePropagator, W3CTraceContextPropagator } from '@opentelemetry/core'
import { BasicTracerProvider } from '@opentelemetry/sdk-trace-base'
import type { Harness } from './testing/harness.ts'
import { natsContract } from './testing/index.ts'

const harness: Harness = {
  name: 'the OpenTelemetry SDK',
  register(processor) {
    trace.disable()
    trace.setGlobalTracerProvider(new BasicTracerProvider({ spanProcessors: [processor] }))
    context.setGlobalContextManager(new AsyncLocalStorageContextManager().enable())
    const propagators = [new W3CTraceContextPropagator(), new W3CBaggagePropagator()]
    propagation.setGlobalPropagator(new CompositePropagator({ propagators }))
  },
}

natsContract(harness)
