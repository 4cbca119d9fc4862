export type { HealthCheck } from './httpkit/health.ts'
export { type HttpChainOptions, httpChain } from './httpkit/http-chain.ts'
export { HttpError, type HttpErrorCode, sendError, sendJson } from './httpkit/http-error.ts'
export { readJson } from './httpkit/read-json.ts'
export { requestIdOf } from './httpkit/request-id.ts'
export type { RequestSummary } from './httpkit/request-log.ts'
export {
  createIdentityClient,
  type IdentityClient,
  type IdentityClientOptions,
} from './identityclient/identity-client.ts'
export { IdentityError, type IdentityErrorCode } from './identityclient/identity-error.ts'
export type { Introspection } from './identityclient/introspection.ts'
export type { ServiceToken, ServiceTokenRequest } from './identityclient/service-tokens.ts'
export type { ServiceLogger } from './logger.ts'
export { createMtlsClient, type MtlsClient } from './mtls/mtls-client.ts'
export { MtlsError, type MtlsErrorCode } from './mtls/mtls-error.ts'
export { createMtlsServer, type MtlsServer, requireClientCertificate } from './mtls/mtls-server.ts'
export type { TlsFiles, TlsReloading } from './mtls/tls-material.ts'
export { BusError, type BusErrorCode } from './natsbus/bus-error.ts'
export { type BusEvent, type ChangeEvent, ProtoData } from './natsbus/bus-event.ts'
export {
  type BusConsumer,
  type BusDelivery,
  type BusHandler,
  type ConsumerOptions,
  startConsumer,
} from './natsbus/consumer.ts'
export type { EnvelopeFormat } from './natsbus/envelope.ts'
export {
  type BusMessage,
  type BusPublisher,
  createPublisher,
  noopPublisher,
  type Published,
  type PublisherOptions,
} from './natsbus/publisher.ts'
export {
  createReliablePublisher,
  type ReliabilityOptions,
  type ReliablePublisher,
} from './natsbus/reliable-publisher.ts'
export {
  callDownstream,
  type DownstreamOptions,
  type DownstreamPolicy,
  fireAndForget,
} from './resilience/downstream.ts'
export { DownstreamError, type DownstreamErrorCode } from './resilience/downstream-error.ts'
export { type ResilientFetchOptions, resilientFetch } from './resilience/resilient-fetch.ts'
