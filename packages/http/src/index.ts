export { type HttpInstrumentation, instrumentHttp } from './instrument.ts'
export {
  HttpOptionError,
  type HttpOptions,
  type IncomingTrust,
  type OutgoingTarget,
  type Semconv,
} from './options.ts'
export { setHttpRoute } from './server-span.ts'
