import { formatDuration } from '../query/format-duration.ts'
import type { LogView, SpanView, TraceView } from '../query/trace-view.ts'
import { logLines, logsBySpan } from './log-lines.ts'
import { fit, formatTime, plainText, widthOf } from './text.ts'

/** How the terminal draws. */
export interface RenderOptions {
  /** Columns of the terminal; below 60 is drawn as 60. */
  readonly width: number
  /** true: ANSI colours. */
  readonly color: boolean
}

/**
 * Draws a trace as a waterfall: one line per span with service, name (indented as in the tree), kind, duration, status and
 * its bar; queue time is drawn before the bar and named after it; below it its log records. No line is wider than `width`;
 * no newline at the end.
 */
export function renderTrace(trace: TraceView, { width, color }: RenderOptions): string {
  const paint = color ? ansi : plain
  const columns = layout(trace, Math.max(width, widthMin))
  const colorOf = serviceColors(trace)
  const logsOf = logsBySpan(trace)
  const lines = [
    ...headLines(trace, { paint, columns }),
    ...trace.spans.flatMap((span) => spanLines(span, { trace, paint, columns, colorOf, logsOf })),
    ...footLines(trace, { paint, columns }),
  ]
  return lines.map((line) => line.trimEnd()).join('\n')
}

const widthMin = 60

type Style = 'bold' | 'dim' | 'red' | 'yellow' | 'blue' | 'magenta' | 'cyan' | 'green'
type Paint = (text: string, style: Style) => string

const ansiCodes: Readonly<Record<Style, number>> = {
  bold: 1,
  dim: 2,
  red: 31,
  green: 32,
  yellow: 33,
  blue: 94,
  magenta: 95,
  cyan: 36,
}
const ansi: Paint = (text, style) => `\x1b[${ansiCodes[style]}m${text}\x1b[0m`
const plain: Paint = (text) => text

/** Red is left to errors. */
const servicePalette: readonly Style[] = ['cyan', 'magenta', 'green', 'yellow', 'blue']

function serviceColors(trace: TraceView): ReadonlyMap<string, Style> {
  const colors = new Map<string, Style>()
  for (const { service } of trace.spans)
    if (!colors.has(service))
      colors.set(service, servicePalette[colors.size % servicePalette.length] ?? 'cyan')
  return colors
}

interface Columns {
  readonly total: number
  readonly service: number
  readonly name: number
  readonly bar: number
}

const kindWidth = 8
const durationWidth = 8
const statusWidth = 6
const barMin = 8
const gap = 1

function layout(trace: TraceView, total: number): Columns {
  const serviceWidth = longest(
    trace.services.map((service) => widthOf(plainText(service))),
    'SERVICE'.length,
  )
  const service = Math.min(serviceWidth, Math.floor(total / 5))
  const rest = total - service - kindWidth - durationWidth - statusWidth - 5 * gap
  const nameWidth = longest(
    trace.spans.map((span) => indentOf(span).length + widthOf(plainText(span.name))),
    'NAME'.length,
  )
  const name = Math.min(nameWidth, rest - Math.max(barMin, Math.floor(rest * 0.35)))
  return { total, service, name, bar: rest - name }
}

/** Not Math.max(...widths): a trace can have more spans than a call may have arguments. */
const longest = (widths: readonly number[], min: number): number =>
  widths.reduce((a, b) => Math.max(a, b), min)

const indentOf = (span: SpanView): string => '  '.repeat(Math.min(span.depth, 20))

interface Pen {
  readonly paint: Paint
  readonly columns: Columns
}

function headLines(trace: TraceView, { paint, columns }: Pen): readonly string[] {
  const facts = [
    formatDuration(trace.durationMs),
    counted(trace.spanCount, 'span'),
    counted(trace.services.length, 'service'),
    ...(trace.errorCount > 0 ? [counted(trace.errorCount, 'error')] : []),
    ...(trace.pendingCount > 0 ? [`${trace.pendingCount} running`] : []),
    ...(trace.interruptedCount > 0 ? [`${trace.interruptedCount} interrupted`] : []),
  ].join(' · ')
  const header = [
    fit('SERVICE', columns.service),
    fit('NAME', columns.name),
    fit('KIND', kindWidth),
    fit('DURATION', durationWidth, 'left'),
    fit('STATUS', statusWidth),
  ].join(' ')
  return [
    `${paint('trace', 'dim')} ${paint(trace.traceId, 'bold')}`,
    fit(`${plainText(trace.rootName)} · ${facts}`, columns.total),
    '',
    paint(header, 'dim'),
  ]
}

const counted = (count: number, what: string): string => `${count} ${what}${count === 1 ? '' : 's'}`

function spanLines(
  span: SpanView,
  pen: Pen & {
    readonly trace: TraceView
    readonly colorOf: ReadonlyMap<string, Style>
    readonly logsOf: ReadonlyMap<string, readonly LogView[]>
  },
): readonly string[] {
  const { trace, paint, columns } = pen
  const style = pen.colorOf.get(span.service) ?? 'cyan'
  const line = [
    paint(fit(plainText(span.service), columns.service), style),
    fit(indentOf(span) + plainText(span.name), columns.name),
    paint(fit(span.kind, kindWidth), 'dim'),
    fit(formatDuration(span.durationMs), durationWidth, 'left'),
    statusText(span, paint),
    bar(span, { trace, paint, style, width: columns.bar }),
  ].join(' ')
  const inset = ' '.repeat(columns.service + gap) + indentOf(span)
  const note = (text: string, color: Style): string =>
    inset + paint(fit(text, Math.max(1, columns.total - inset.length)).trimEnd(), color)
  const lines = [line]
  if (span.missingParent) lines.unshift(note(`? missing parent ${plainText(span.parentSpanId)}`, 'yellow'))
  if (span.queue)
    lines.push(note(`  ░ waited ${formatDuration(span.queue.durationMs)} in the queue`, 'yellow'))
  if (span.state === 'pending')
    lines.push(
      note(
        `  … running since ${startTime(span, trace)} UTC, seen for ${formatDuration(span.durationMs)}`,
        'yellow',
      ),
    )
  if (span.interruption !== undefined)
    lines.push(note(`  ✗ interrupted: ${plainText(span.interruption)}`, 'red'))
  // An interrupted span says its reason twice.
  if (
    span.status === 'ERROR' &&
    span.statusMessage !== '' &&
    !span.interruption?.includes(span.statusMessage)
  )
    lines.push(note(`  ✗ ${plainText(span.statusMessage)}`, 'red'))
  for (const { text, level } of logLines(span, pen.logsOf.get(span.spanId) ?? []))
    lines.push(note(text, logStyles[level]))
  return lines
}

const logStyles = { error: 'red', warning: 'yellow', other: 'dim' } as const

/** UTC, as in the list of traces. */
function startTime(span: SpanView, trace: TraceView): string {
  const startMs = Number(BigInt(trace.startTimeUnixNano) / 1_000_000n) + span.startMs
  return formatTime(Math.floor(startMs)) ?? 'an unknown time'
}

function statusText(span: SpanView, paint: Paint): string {
  if (span.state === 'pending') return paint(fit('open', statusWidth), 'yellow')
  const text = fit(span.status === 'UNSET' ? 'unset' : span.status, statusWidth)
  if (span.status === 'ERROR') return paint(text, 'red')
  return paint(text, span.status === 'OK' ? 'green' : 'dim')
}

function bar(
  span: SpanView,
  pen: { readonly trace: TraceView; readonly paint: Paint; readonly style: Style; readonly width: number },
): string {
  const { paint, width } = pen
  const cellOf = (ms: number): number =>
    pen.trace.durationMs === 0 ? 0 : Math.min(width - 1, Math.floor((ms / pen.trace.durationMs) * width))
  const start = cellOf(span.startMs)
  const end = Math.max(start + 1, cellOf(span.startMs + span.durationMs))
  const color = span.status === 'ERROR' ? 'red' : pen.style
  const drawn = paint('━'.repeat(end - start) + openEnd(span, width - end), color)
  if (span.queue === undefined || span.queue.durationMs === 0) return ' '.repeat(start) + drawn
  const queueStart = Math.min(cellOf(span.queue.startMs), start)
  return ' '.repeat(queueStart) + paint('░'.repeat(start - queueStart), 'yellow') + drawn
}

/** A span that runs has an open end: to the edge, beyond what was seen of it. */
const openEnd = (span: SpanView, width: number): string =>
  span.state === 'pending' && width > 0 ? `${'╌'.repeat(width - 1)}▸` : ''

function footLines(trace: TraceView, { paint, columns }: Pen): readonly string[] {
  const notes: string[] = []
  if (trace.truncated) notes.push(`Only the earliest ${trace.spanCount} spans are shown.`)
  if (trace.missingParentCount > 0)
    notes.push(`${counted(trace.missingParentCount, 'span')} without a parent: it was not sent, or not yet.`)
  for (const { behind, ahead, skewMs } of trace.clockSkews)
    notes.push(
      `Clocks differ: ${plainText(behind)} is at least ${formatDuration(skewMs)} behind ${plainText(ahead)}. Times are as sent.`,
    )
  return notes.length === 0
    ? []
    : ['', ...notes.map((text) => paint(fit(text, columns.total).trimEnd(), 'yellow'))]
}
