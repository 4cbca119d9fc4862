export {
  type BrokerHopCounts,
  type BrokerHops,
  type BrokerHopsOptions,
  traceBrokerHops,
} from './broker-hops.ts'
export {
  type ProbeObstacle,
  type ProbeOptions,
  type ProbeReceiver,
  type ProbeResult,
  probeSubject,
} from './broker-probe.ts'
export type { EnvelopeAddition, EnvelopeCarrier, EnvelopeMessage } from './envelope.ts'
export { tracedJetstream } from './jetstream.ts'
export { tracedKv, tracedKvm } from './kv.ts'
export { tracedObjectStore, tracedObjm } from './object-store.ts'
export {
  type MessageTrust,
  NatsTracingError,
  type NatsTracingErrorCode,
  type NatsTracingOptions,
  type ProcessSpanOptions,
} from './options.ts'
export { extractFromMessage, processMessage } from './process.ts'
export { withSendAttributes } from './send-attributes.ts'
export { type ServicesManager, tracedSvcm } from './services.ts'
export { type TraceableConnection, traceNats } from './trace.ts'

// For other packages: carriers for those who start their own spans.

export { extractFromHeaders, injectIntoHeaders, type Propagator } from './carrier.ts'
