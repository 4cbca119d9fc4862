import { createOtlpLogExporter, type OtlpExporterOptions, type OtlpLogExporter } from '@throughline/exporter'
import { LoggerProvider, registerLoggerProvider, unregisterLoggerProvider } from '@throughline/logs'
import type { Clock } from '@throughline/trace'
import { invalidValue } from './config-error.ts'
import { type Environment, environmentSource, readText, readWholeNumber } from './environment.ts'

/** `otlp`: log records go the road of spans, by settings of their own. */
export type LogsExporterName = 'none' | 'otlp'

/**
 * Where log records go: `logsExporter` in code, else OTEL_LOGS_EXPORTER, else by OTLP where an endpoint is named, as the
 * specification wants it. Naming no exporter for spans in code (`exporter: 'none'`) is meant for both.
 */
export function logsExporterOf(
  options: { readonly logsExporter?: string | undefined; readonly exporter?: string | undefined },
  env: Environment,
  hasEndpoint: boolean,
): LogsExporterName {
  const { logsExporter, exporter } = options
  if (logsExporter !== undefined)
    return checkedName(logsExporter, { code: 'invalid_option', key: 'logsExporter' })
  const text = readText(env, 'OTEL_LOGS_EXPORTER')
  if (text !== undefined) return checkedName(text, environmentSource('OTEL_LOGS_EXPORTER'))
  return hasEndpoint && (exporter === undefined || exporter === 'otlp') ? 'otlp' : 'none'
}

function checkedName(name: string, source: Parameters<typeof invalidValue>[0]): LogsExporterName {
  const lower = name.toLowerCase()
  if (lower === 'none' || lower === 'otlp') return lower
  throw invalidValue(source, name, 'none, otlp')
}

/** The export of log records while it is on. */
export interface LogsExport {
  readonly exporter: OtlpLogExporter
  /** From here on loggers find the provider; not where another SDK has registered its own. */
  register(): void
  unregister(): void
}

/** Makes exporter and provider; throws an ExporterError for options that cannot be used. */
export function createLogsExport(
  options: OtlpExporterOptions & { readonly clock: Clock },
  env: Environment,
): LogsExport {
  const exporter = createOtlpLogExporter({ ...options, ...scheduleOf(env) })
  const attributeCountMax =
    readWholeNumber(env, 'OTEL_LOGRECORD_ATTRIBUTE_COUNT_LIMIT') ??
    readWholeNumber(env, 'OTEL_ATTRIBUTE_COUNT_LIMIT')
  const attributeValueLengthMax =
    readWholeNumber(env, 'OTEL_LOGRECORD_ATTRIBUTE_VALUE_LENGTH_LIMIT') ??
    readWholeNumber(env, 'OTEL_ATTRIBUTE_VALUE_LENGTH_LIMIT')
  const provider = new LoggerProvider({
    clock: options.clock,
    sinks: [exporter],
    ...(attributeCountMax !== undefined && { attributeCountMax }),
    ...(attributeValueLengthMax !== undefined && { attributeValueLengthMax }),
  })
  return {
    exporter,
    register: () => void registerLoggerProvider(provider),
    unregister: () => unregisterLoggerProvider(provider),
  }
}

function scheduleOf(env: Environment): { scheduleDelayMs?: number } {
  const scheduleDelayMs = readWholeNumber(env, 'OTEL_BLRP_SCHEDULE_DELAY', 1)
  return scheduleDelayMs === undefined ? {} : { scheduleDelayMs }
}
