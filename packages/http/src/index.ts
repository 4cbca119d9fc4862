export {
  type FastifyLike,
  type FastifyReplyLike,
  type FastifyRequestLike,
  fastifyTracing,
} from './fastify.ts'
export { type HonoContextLike, honoTracing } from './hono.ts'
export { type HttpInstrumentation, instrumentHttp } from './instrument.ts'
export { type KoaContextLike, koaTracing } from './koa.ts'
export { type HttpHandler, type HttpMiddleware, httpMiddleware } from './middleware.ts'
export {
  type HttpOptions,
  HttpTracingError,
  type HttpTracingErrorCode,
  type IncomingTrust,
  type OutgoingTarget,
  type Semconv,
} from './options.ts'
export { httpRouteOf, recordHttpException, setHttpRoute } from './server-span.ts'
export { tracedAgent } from './traced-agent.ts'
export { tracedFetch } from './traced-fetch.ts'

// For other packages: who sends a request again says so.

export { contextWithResendCount } from './trace.ts'
