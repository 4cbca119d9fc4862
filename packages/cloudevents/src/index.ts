export { eventAttributes } from './attributes.ts'
export { extractContext, extractFromEvent, injectIntoEvent, type Propagator } from './carrier.ts'
export {
  checkEvent,
  checkTransmission,
  type Transmission,
  type Violation,
  type ViolationCode,
} from './check.ts'
export {
  cloudEventEnvelope,
  type EnvelopeAddition,
  type EnvelopeCarrier,
  type EnvelopeMessage,
  type EnvelopeOptions,
} from './envelope.ts'
export {
  type AttributeValue,
  type CloudEvent,
  CloudEventError,
  type EventResult,
  type Fault,
  type FaultCode,
  ProtoData,
  type ReadLimits,
} from './event.ts'
export type { HeaderSource } from './headers.ts'
export type { BatchResult } from './json.ts'
export {
  type Binding,
  type ContentMode,
  type DetectedMode,
  detectMode,
  type EventMessage,
  readBatch,
  readEvent,
  type WrittenMessage,
  writeBatch,
  writeEvent,
} from './message.ts'
export {
  type EventTracingOptions,
  type ProcessEventOptions,
  processEvent,
  type SendEventOptions,
  sendEvent,
} from './trace.ts'
