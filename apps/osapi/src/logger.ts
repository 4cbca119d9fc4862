import { withTraceIds } from '@throughline/logs'
import { type Logger, type LoggerOptions as PinoOptions, pino } from 'pino'

export type { Logger } from 'pino'

export interface LoggerOptions {
  /** JSON lines instead of text. */
  readonly json?: boolean
  /** Level debug instead of info. */
  readonly debug?: boolean
  /**
   * False where tracing is off: context of others passes through then, and its ids belong in no line. Default: true.
   */
  readonly traceIds?: boolean
  /** The part of the program, on every line. */
  readonly component?: string
  /** Takes whole lines; default stderr, since stdout belongs to data. */
  readonly write?: (line: string) => void
  readonly now?: () => Date
}

/**
 * The logger of a process: `3:04PM INF publishing job request job_id=… trace_id=… span_id=…`, or the same as JSON with
 * time, level and msg first. The ids of the active span come last and by themselves; no call passes them.
 */
export function createLogger(options: LoggerOptions = {}): Logger {
  const write = options.write ?? ((line) => void process.stderr.write(line))
  const now = options.now ?? (() => new Date())
  const render = options.json === true ? jsonLine : textLine
  const settings: PinoOptions = {
    level: options.debug === true ? 'debug' : 'info',
    base: null,
    timestamp: false,
    formatters: { level: (label) => ({ level: label }) },
    serializers: { error: errorText, err: errorText },
    mixinMergeStrategy: (fields, ids) => ({ ...fields, ...ids }),
  }
  const logger = pino(options.traceIds === false ? settings : withTraceIds(settings), {
    write: (line: string) => write(`${render(JSON.parse(line) as LogRecord, now())}\n`),
  })
  return options.component === undefined ? logger : logger.child({ component: options.component })
}

/** pino's own line. `msg` is absent when a call had only fields. */
interface LogRecord {
  readonly level: string
  readonly msg?: string
  readonly [field: string]: unknown
}

const levelNames: Readonly<Record<string, string>> = {
  trace: 'TRC',
  debug: 'DBG',
  info: 'INF',
  warn: 'WRN',
  error: 'ERR',
  fatal: 'FTL',
}

function textLine({ level, msg = '', ...fields }: LogRecord, time: Date): string {
  const hours = time.getHours()
  const clock = `${hours % 12 || 12}:${String(time.getMinutes()).padStart(2, '0')}${hours < 12 ? 'AM' : 'PM'}`
  const pairs = Object.entries(fields).map(([key, value]) => `${key}=${textValue(value)}`)
  return [clock, levelNames[level] ?? level, msg, ...pairs].join(' ')
}

function jsonLine({ level, msg = '', ...fields }: LogRecord, time: Date): string {
  return JSON.stringify({ time: time.toISOString(), level: level.toUpperCase(), msg, ...fields })
}

function textValue(value: unknown): string {
  const text = typeof value === 'string' ? value : JSON.stringify(value)
  return text === '' || /[\s"=\p{Cc}]/u.test(text) ? JSON.stringify(text) : text
}

function errorText(value: unknown): unknown {
  return value instanceof Error ? value.message : value
}
