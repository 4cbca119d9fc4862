import { formatDuration } from '../query/format-duration.ts'
import type { LogView, SpanView, TraceView } from '../query/trace-view.ts'
import { plainText } from './text.ts'

/** A span may have thousands; the page shows all of them. */
const logsShownMax = 20

/** What stands below a span for one of its log records. */
export interface LogLine {
  readonly text: string
  readonly level: 'error' | 'warning' | 'other'
}

/** By span, in the order of their time. */
export function logsBySpan(trace: TraceView): ReadonlyMap<string, readonly LogView[]> {
  const logs = new Map<string, LogView[]>()
  for (const log of trace.logs) {
    const known = logs.get(log.spanId)
    if (known === undefined) logs.set(log.spanId, [log])
    else known.push(log)
  }
  return logs
}

/** `+2.10 ms info job failed`, the time from the span's start. */
export function logLines(span: SpanView, logs: readonly LogView[]): readonly LogLine[] {
  const lines = logs.slice(0, logsShownMax).map((log) => lineOf(span, log))
  const moreCount = logs.length - lines.length
  if (moreCount > 0)
    lines.push({ text: `  … ${moreCount} more log record${moreCount === 1 ? '' : 's'}`, level: 'other' })
  return lines
}

function lineOf(span: SpanView, { body, severityNumber, severityText, timeMs }: LogView): LogLine {
  const offsetMs = timeMs - span.startMs
  const offset = offsetMs < 0 ? `−${formatDuration(-offsetMs)}` : `+${formatDuration(offsetMs)}`
  const said = typeof body === 'string' ? body : JSON.stringify(body)
  return {
    text: `  ${[offset, severityText, said]
      .filter((part) => part !== '')
      .map(plainText)
      .join(' ')}`,
    level: severityNumber >= 17 ? 'error' : severityNumber >= 13 ? 'warning' : 'other',
  }
}
