import type { LoggerOptions } from 'pino'
import { recordEachLine } from './pino-records.ts'
import { activeTraceFields } from './trace-fields.ts'

type MixinFn<Levels extends string> = NonNullable<LoggerOptions<Levels>['mixin']>

/**
 * A pino `mixin` that puts `trace_id` and `span_id` into each line that is written inside a span, and nothing into any
 * other line. Child loggers inherit it. `next` is the program's own mixin, whose fields win where names are the same.
 *
 * pino calls a mixin synchronously on the caller's stack, so the active span is that of the log call.
 */
export function pinoMixin<Levels extends string = never>(next?: MixinFn<Levels>): MixinFn<Levels> {
  return (mergeObject, level, logger) => {
    const fields = activeTraceFields()
    // A new object each time: pino writes the line's own fields into what it gets.
    if (next === undefined) return fields ?? {}
    return { ...fields, ...next(mergeObject, level, logger) }
  }
}

/**
 * pino's options with trace ids in each line, and with each line as a log record of OpenTelemetry's where logs are
 * exported: `pino(withTraceIds({ level: 'info' }))`. What pino prints is not changed by the latter. Options that hold a
 * mixin or a `streamWrite` hook keep it. Early versions 9 of pino do not know that hook: there are ids then, but no records.
 */
export function withTraceIds<Levels extends string = never>(
  options: LoggerOptions<Levels> = {},
): LoggerOptions<Levels> {
  const record = recordEachLine(options)
  const streamWrite = options.hooks?.streamWrite
  return {
    ...options,
    mixin: pinoMixin(options.mixin),
    hooks: {
      ...options.hooks,
      streamWrite: streamWrite === undefined ? record : (line) => record(streamWrite(line)),
    },
  }
}
