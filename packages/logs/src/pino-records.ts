import { hostname } from 'node:os'
import { trace } from '@opentelemetry/api'
import type { LogValue } from '@throughline/otlp'
import { getLogger } from './global-logs.ts'
import type { LogRecordInput } from './logger.ts'
import { severityOfName, severityOfPinoLevel } from './severity.ts'

/** The names that a pino logger was told to use for its own fields. */
export interface PinoFieldNames {
  readonly messageKey?: string | undefined
  readonly errorKey?: string | undefined
  readonly customLevels?: Readonly<Record<string, number>> | undefined
}

/**
 * A function that makes a log record of each finished line of a pino logger, and leaves the line as it is. The line is
 * what the record is made of, and not the arguments of the call: only in the line have the program's redaction,
 * serializers and formatters done their work, and what is exported must not say more than what is printed.
 */
export function recordEachLine(names: PinoFieldNames): (line: string) => string {
  const logger = getLogger('pino')
  const labels = new Map(Object.entries(names.customLevels ?? {}).map(([label, level]) => [level, label]))
  return (line) => {
    if (logger.enabled()) {
      const record = recordOfLine(line, names, labels)
      if (record !== undefined) logger.emit(record)
    }
    return line
  }
}

function recordOfLine(
  line: string,
  { messageKey = 'msg', errorKey = 'err' }: PinoFieldNames,
  labels: ReadonlyMap<number, string>,
): LogRecordInput | undefined {
  const fields = parsed(line)
  if (fields === undefined) return undefined
  const thrown = fields[errorKey]
  const attributes = attributesOf(fields, messageKey)
  const level = fields['level']
  return {
    severityNumber: severityNumberOf(level),
    severityText: severityTextOf(level, labels),
    body: fields[messageKey],
    attributes: isException(thrown) ? withException(attributes, errorKey, thrown) : attributes,
  }
}

/** Without what the record or its resource says in another place. Built anew: deleting makes an object slow to read. */
function attributesOf(fields: Record<string, LogValue>, messageKey: string): Record<string, LogValue> {
  const spanContext = trace.getActiveSpan()?.spanContext()
  const attributes: Record<string, LogValue> = {}
  for (const key of Object.keys(fields)) {
    const value = fields[key]
    if (key === 'level' || key === 'time' || key === messageKey) continue
    if (key === 'trace_id' && value === spanContext?.traceId) continue
    if (key === 'span_id' && value === spanContext?.spanId) continue
    if (key === 'pid' && value === process.pid) continue
    if (key === 'hostname' && value === ownHost()) continue
    attributes[key] = value
  }
  return attributes
}

function severityNumberOf(level: LogValue): number {
  if (typeof level === 'number') return severityOfPinoLevel(level)
  return typeof level === 'string' ? severityOfName(level) : 0
}

function severityTextOf(level: LogValue, labels: ReadonlyMap<number, string>): string {
  if (typeof level === 'number') return labels.get(level) ?? standardLabels.get(level) ?? ''
  return typeof level === 'string' ? level : ''
}

const standardLabels: ReadonlyMap<number, string> = new Map([
  [10, 'trace'],
  [20, 'debug'],
  [30, 'info'],
  [40, 'warn'],
  [50, 'error'],
  [60, 'fatal'],
])

interface SerializedError {
  readonly [key: string]: LogValue
  readonly type?: string
  readonly message: string
  readonly stack: string
}

/** What pino's own serializer makes of an error. */
function isException(value: LogValue): value is SerializedError {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return false
  return 'stack' in value && typeof value['stack'] === 'string' && typeof value['message'] === 'string'
}

/** What an error has beside the three (a code, a cause) stays under pino's own name. */
function withException(
  attributes: Record<string, LogValue>,
  errorKey: string,
  { type, message, stack, ...rest }: SerializedError,
): Record<string, LogValue> {
  const { [errorKey]: _thrown, ...others } = attributes
  return {
    ...others,
    ...(type !== undefined && { 'exception.type': type }),
    'exception.message': message,
    'exception.stacktrace': stack,
    ...(Object.keys(rest).length > 0 && { [errorKey]: rest }),
  }
}

/** undefined for a line that is no JSON object: a formatter of the program may write anything. */
function parsed(line: string): Record<string, LogValue> | undefined {
  try {
    const fields: unknown = JSON.parse(line)
    return typeof fields === 'object' && fields !== null && !Array.isArray(fields)
      ? (fields as Record<string, LogValue>)
      : undefined
  } catch {
    return undefined
  }
}

let knownHost: string | undefined

function ownHost(): string {
  knownHost ??= hostname()
  return knownHost
}
