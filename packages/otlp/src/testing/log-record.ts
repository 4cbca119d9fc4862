import type { LogRecord } from '../log-record.ts'
import { httpScope } from './span.ts'

/** A record outside of any span with nothing optional, and what is given. */
export function logRecord(fields: Partial<LogRecord> = {}): LogRecord {
  return {
    timeMs: 1,
    observedTimeMs: 2,
    severityNumber: 9,
    severityText: 'info',
    body: 'hello',
    flatAttributes: [],
    droppedAttributesCount: 0,
    traceId: '',
    spanId: '',
    traceFlags: 0,
    eventName: '',
    scope: httpScope,
    ...fields,
  }
}
