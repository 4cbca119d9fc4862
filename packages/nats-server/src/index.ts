export { NatsServerError, type NatsServerErrorCode } from './errors.ts'
export type { NatsServerOptions } from './options.ts'
export {
  type BinarySource,
  type ResolvedNatsServer,
  type ResolveOptions,
  resolveNatsServer,
} from './resolve.ts'
export { type NatsServer, startNatsServer } from './server.ts'
