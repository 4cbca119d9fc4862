export {
  type FastifyLike,
  type FastifyReplyLike,
  type FastifyRequestLike,
  fastifyTracing,
} from './fastify.ts'
export { type HttpInstrumentation, instrumentHttp } from './instrument.ts'
export { type HttpHandler, type HttpMiddleware, httpMiddleware } from './middleware.ts'
export {
  type HttpOptions,
  HttpTracingError,
  type HttpTracingErrorCode,
  type IncomingTrust,
  type OutgoingTarget,
  type Semconv,
} from './options.ts'
export { setHttpRoute } from './server-span.ts'
export { tracedAgent } from './traced-agent.ts'
export { tracedFetch } from './traced-fetch.ts'
