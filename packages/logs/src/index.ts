export { getLogger } from './global-logs.ts'
export type { Logger, LoggerOptions, LoggerSource, LogRecordInput } from './logger.ts'
export { pinoMixin, withTraceIds } from './pino.ts'
export { severityNumbers } from './severity.ts'
export { activeTraceFields, type TraceFields } from './trace-fields.ts'

// For other packages: what makes records of what loggers emit, and where they go.

export { registerLoggerProvider, unregisterLoggerProvider } from './global-logs.ts'
export { LoggerProvider, type LoggerProviderOptions, type LogSink } from './logger-provider.ts'
export { withoutLogRecords } from './quiet.ts'
