export { pinoMixin, withTraceIds } from './pino.ts'
export { activeTraceFields, type TraceFields } from './trace-fields.ts'
