import type { Context, TimeInput } from '@opentelemetry/api'
import type { LogValue } from '@throughline/otlp'

/**
 * What a program or an appender says in a log record; all of it is optional. The shape is that of OpenTelemetry's logs API.
 * https://opentelemetry.io/docs/specs/otel/logs/data-model/
 */
export interface LogRecordInput {
  /** When it happened. Default: now. */
  readonly timestamp?: TimeInput | undefined
  /** When it was seen. Default: now. */
  readonly observedTimestamp?: TimeInput | undefined
  /** 1 (TRACE) to 24 (FATAL4): see `severityNumbers`. */
  readonly severityNumber?: number | undefined
  /** The level as its source calls it. */
  readonly severityText?: string | undefined
  readonly body?: LogValue
  readonly attributes?: { readonly [key: string]: LogValue } | undefined
  /** What was thrown: becomes `exception.type`, `exception.message`, `exception.stacktrace`. */
  readonly exception?: unknown
  /** Names the kind of event. */
  readonly eventName?: string | undefined
  /** Whose span the record belongs to. Default: the active context. */
  readonly context?: Context | undefined
}

/** Emits log records of one scope. Never throws. */
export interface Logger {
  emit(record: LogRecordInput): void
  /** False where nobody takes records: then making one is in vain. */
  enabled(): boolean
}

/** As OpenTelemetry's logs API has it. */
export interface LoggerOptions {
  readonly schemaUrl?: string | undefined
  readonly attributes?: { readonly [key: string]: LogValue } | undefined
}

/** Who gives out loggers: ours, or that of another OpenTelemetry SDK. */
export interface LoggerSource {
  getLogger(name: string, version?: string, options?: LoggerOptions): Logger
}
