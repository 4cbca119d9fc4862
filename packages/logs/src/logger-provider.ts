import { context, isSpanContextValid, type TimeInput, trace } from '@opentelemetry/api'
import type { AttributeValue, LogRecord, LogValue, ScopeRecord } from '@throughline/otlp'
import { type Clock, timeInputToMs } from '@throughline/trace'
import { exceptionAttributes } from './exception.ts'
import type { Logger, LoggerOptions, LogRecordInput } from './logger.ts'
import { isQuiet } from './quiet.ts'

/** Where finished records go. */
export interface LogSink {
  /** MUST read what it needs before it returns. What it throws is ignored. */
  onEmit(record: LogRecord): void
}

/** What a LoggerProvider takes; the sinks are required. */
export interface LoggerProviderOptions {
  readonly sinks: readonly LogSink[]
  /** The tracer provider's, so that records and spans lie right to each other. */
  readonly clock: Clock
  /** Further attributes of a record are counted and left out. Default 128. */
  readonly attributeCountMax?: number
  /** Longer texts among the attributes are cut. Default: no limit. */
  readonly attributeValueLengthMax?: number
}

/**
 * OpenTelemetry's LoggerProvider: makes log records out of what loggers emit, with the ids of the span in whose context
 * that happens, and hands them to its sinks.
 */
export class LoggerProvider {
  readonly #options: LoggerProviderOptions
  readonly #loggers = new Map<string, Logger>()

  constructor(options: LoggerProviderOptions) {
    this.#options = options
  }

  /** One logger for each name, version and schema URL; one with attributes is made anew each time. */
  getLogger(name: string, version = '', options: LoggerOptions = {}): Logger {
    const { schemaUrl = '', attributes } = options
    const key = JSON.stringify([name, version, schemaUrl])
    const known = attributes === undefined ? this.#loggers.get(key) : undefined
    if (known !== undefined) return known
    const scope = { name, version, schemaUrl, flatAttributes: scopeAttributes(attributes ?? {}) }
    const logger: Logger = {
      emit: (input) => this.#emit(input, scope),
      enabled: () => !isQuiet(),
    }
    if (attributes === undefined && this.#loggers.size < loggersMax) this.#loggers.set(key, logger)
    return logger
  }

  #emit(input: LogRecordInput, scope: ScopeRecord): void {
    if (isQuiet()) return
    try {
      const record = this.#recordOf(input, scope)
      for (const sink of this.#options.sinks) sink.onEmit(record)
    } catch {
      // A getter of the program's own object threw, or a sink did: a log call must not fail by it.
    }
  }

  #recordOf(input: LogRecordInput, scope: ScopeRecord): LogRecord {
    const { clock } = this.#options
    const monotonicMs = clock.monotonicMs()
    const correctionMs = clock.correctionMs(monotonicMs)
    const nowMs = monotonicMs + correctionMs
    const msOf = (time: TimeInput | undefined): number =>
      (time === undefined
        ? undefined
        : timeInputToMs(time, { unixNano: clock.originUnixNano, performanceCorrectionMs: correctionMs })) ??
      nowMs
    const spanContext = trace.getSpanContext(input.context ?? context.active())
    const isInSpan = spanContext !== undefined && isSpanContextValid(spanContext)
    const { flat, droppedCount } = this.#attributesOf(input)
    return {
      timeMs: msOf(input.timestamp),
      observedTimeMs: msOf(input.observedTimestamp),
      severityNumber: input.severityNumber ?? 0,
      severityText: input.severityText ?? '',
      body: input.body,
      flatAttributes: flat,
      droppedAttributesCount: droppedCount,
      traceId: isInSpan ? spanContext.traceId : '',
      spanId: isInSpan ? spanContext.spanId : '',
      traceFlags: isInSpan ? spanContext.traceFlags : 0,
      eventName: input.eventName ?? '',
      scope,
    }
  }

  #attributesOf({ attributes = {}, exception }: LogRecordInput): { flat: LogValue[]; droppedCount: number } {
    const { attributeCountMax = 128, attributeValueLengthMax = Number.POSITIVE_INFINITY } = this.#options
    const flat: LogValue[] = []
    let droppedCount = 0
    const all = exception === undefined ? attributes : { ...exceptionAttributes(exception), ...attributes }
    for (const [key, value] of Object.entries(all)) {
      if (value === undefined) continue
      if (flat.length >= attributeCountMax * 2) droppedCount++
      else flat.push(key, cut(value, attributeValueLengthMax))
    }
    return { flat, droppedCount }
  }
}

/** Names come from the program, but a program may make them up without end. */
const loggersMax = 1_000

function cut(value: LogValue, lengthMax: number): LogValue {
  if (typeof value === 'string') return value.length > lengthMax ? value.slice(0, lengthMax) : value
  if (lengthMax === Number.POSITIVE_INFINITY || !Array.isArray(value)) return value
  return value.map((element: LogValue) => cut(element, lengthMax))
}

/** Of a scope only primitive attributes are kept. */
function scopeAttributes(attributes: Readonly<Record<string, LogValue>>): (string | AttributeValue)[] {
  return Object.entries(attributes).flatMap(([key, value]) =>
    typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean' ? [key, value] : [],
  )
}
