/** What the runtime writes its lines to; pino's loggers have this shape. Fields first, as pino has them. */
export interface ServiceLogger {
  info(fields: object, message: string): void
  warn(fields: object, message: string): void
  error(fields: object, message: string): void
}
