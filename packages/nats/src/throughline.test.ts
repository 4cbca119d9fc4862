import {
  compositePropagator,
  TracerProvider,
  w3cBaggagePropagator,
  w3cTraceContextPropagator,
} from '@throughline/trace'
import type { Harness } from './testing/harness.ts'
import { natsContract } from './testing/index.ts'

let registered: TracerProvider | undefined

const harness: Harness = {
  name: 'our own tracer',
  register(processor) {
    registered?.unregister()
    registered = new TracerProvider({ spanProcessors: [processor] })
    const propagator = compositePropagator([w3cTraceContextPropagator(), w3cBaggagePropagator()])
    registered.register({ propagator })
  },
}

natsContract(harness)
