import { TracerProvider, w3cTraceContextPropagator } from '@throughline/trace'
import type { Harness } from './testing/harness.ts'
import { natsContract } from './testing/index.ts'

let registered: TracerProvider | undefined

const harness: Harness = {
  name: 'our own tracer',
  register(processor) {
    registered?.unregister()
    registered = new TracerProvider({ spanProcessors: [processor] })
    registered.register({ propagator: w3cTraceContextPropagator() })
  },
}

natsContract(harness)
