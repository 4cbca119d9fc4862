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
  const { level, time: _time, pid, hostname: host, ...attributes } = fields
  const message = attributes[messageKey]
  const thrown = attributes[errorKey]
  Reflect.deleteProperty(attributes, messageKey)
  removeOwnIds(attributes)
  // Both are in the resource already, unless the program says something else in them.
  if (pid !== undefined && pid !== process.pid) attributes['pid'] = pid
  if (host !== undefined && host !== ownHost()) attributes['hostname'] = host
  return {
    ...severityOf(level, labels),
    body: message,
    attributes: isException(thrown) ? withException(attributes, errorKey, thrown) : attributes,
  }
}

/** The record has its span's ids in fields of its own. */
function removeOwnIds(attributes: Record<string, LogValue>): void {
  const spanContext = trace.getActiveSpan()?.spanContext()
  if (attributes['trace_id'] === spanContext?.traceId) delete attributes['trace_id']
  if (attributes['span_id'] === spanContext?.spanId) delete attributes['span_id']
}

function severityOf(
  level: LogValue,
  labels: ReadonlyMap<number, string>,
): { severityNumber?: number; severityText?: string } {
  if (typeof level === 'number')
    return {
      severityNumber: severityOfPinoLevel(level),
      severityText: labels.get(level) ?? standardLabels.get(level) ?? '',
    }
  return typeof level === 'string' ? { severityNumber: severityOfName(level), severityText: level } : {}
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
