import { formatDuration } from '../query/format-duration.ts'
import type { TraceListEntry } from '../query/query-engine.ts'
import type { RenderOptions } from './render-trace.ts'
import { fit, formatTime, plainText } from './text.ts'

/** The list of traces, one line each with the whole trace id, since that is what people copy. */
export function renderTraces(traces: readonly TraceListEntry[], { width, color }: RenderOptions): string {
  if (traces.length === 0) return 'No traces.'
  const nameWidth = Math.max(12, width - fixedWidth)
  const header = line({
    time: 'START (UTC)',
    id: 'TRACE',
    duration: 'DURATION',
    spans: 'SPANS',
    errors: 'ERR',
    name: fit('ROOT', nameWidth).trimEnd(),
  })
  const rows = traces.map((trace) => {
    const errors = fit(String(trace.errorCount), errorWidth, 'left')
    const text = line({
      // A time that no Date can hold is shown as it came.
      time: formatTime(Number(BigInt(trace.startTimeUnixNano) / 1_000_000n)) ?? trace.startTimeUnixNano,
      id: trace.traceId,
      duration: formatDuration(trace.durationMs),
      spans: String(trace.spanCount),
      errors,
      name: nameCell(trace, nameWidth),
    })
    return color && trace.errorCount > 0 ? `\x1b[31m${text}\x1b[0m` : text
  })
  return [color ? `\x1b[2m${header}\x1b[0m` : header, ...rows].join('\n')
}

const timeWidth = 19
const idWidth = 32
const durationWidth = 8
const spansWidth = 6
const errorWidth = 4
const fixedWidth = timeWidth + idWidth + durationWidth + spansWidth + errorWidth + 5

const line = (
  cells: Readonly<Record<'time' | 'id' | 'duration' | 'spans' | 'errors' | 'name', string>>,
): string =>
  [
    fit(cells.time, timeWidth),
    fit(cells.id, idWidth),
    fit(cells.duration, durationWidth, 'left'),
    fit(cells.spans, spansWidth, 'left'),
    fit(cells.errors, errorWidth, 'left'),
    cells.name,
  ].join(' ')

/** What runs or was interrupted stands behind the name, which is cut before it. */
function nameCell(trace: TraceListEntry, width: number): string {
  const states = [
    ...(trace.pendingCount > 0 ? [` · ${trace.pendingCount} running`] : []),
    ...(trace.interruptedCount > 0 ? [` · ${trace.interruptedCount} interrupted`] : []),
  ].join('')
  const name = `${plainText(trace.rootService)}: ${plainText(trace.rootName)}`
  return fit(name, Math.max(1, width - states.length)).trimEnd() + states
}
