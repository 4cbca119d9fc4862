import { formatDuration } from '../../src/query/format-duration.ts'
import type { SpanView } from './api.ts'
import { h } from './dom.ts'
import { formatClock } from './format.ts'

/** As in trace.css. */
export const rowHeightPx = 30

export interface RowState {
  /** Its place from the top, in rows. */
  readonly top: number
  readonly index: number
  readonly selected: boolean
  readonly folded: boolean
  readonly color: string | undefined
  readonly durationMs: number
  /** When the trace began. */
  readonly startUnixMs: number
}

const indentPx = 14
const indentDepthMax = 24

export function drawRow(span: SpanView, state: RowState): HTMLElement {
  const failed = span.status === 'ERROR'
  const classes = [
    'row',
    ...(state.selected ? ['selected'] : []),
    ...(failed ? ['failed'] : []),
    ...(span.state === undefined ? [] : [span.state]),
  ]
  return h(
    'div',
    {
      class: classes.join(' '),
      style: {
        transform: `translateY(${state.top * rowHeightPx}px)`,
        '--color': state.color ?? 'var(--muted)',
      },
      attributes: {
        id: `span-${state.index}`,
        'data-index': String(state.index),
        role: 'treeitem',
        'aria-level': String(span.depth + 1),
        'aria-selected': String(state.selected),
        ...(span.descendantCount > 0 && { 'aria-expanded': String(!state.folded) }),
        'aria-label': [span.service, span.name, span.kind, timeText(span, state), failed ? 'error' : ''].join(
          ' ',
        ),
      },
    },
    [nameCell(span, state), timeCell(span, state)],
  )
}

function nameCell(span: SpanView, { folded }: RowState): HTMLElement {
  const indent = `${Math.min(span.depth, indentDepthMax) * indentPx}px`
  return h('div', { class: 'name', style: { 'padding-left': `calc(8px + ${indent})` } }, [
    h('span', { class: span.descendantCount > 0 ? 'fold' : 'leaf' }, [
      span.descendantCount === 0 ? '' : folded ? '▸' : '▾',
    ]),
    span.missingParent
      ? h('span', { class: 'orphan', attributes: { title: `The parent ${span.parentSpanId} is missing` } }, [
          'missing parent',
        ])
      : undefined,
    h('span', { class: 'service' }, [span.service]),
    h('span', { class: 'title', attributes: { title: span.name } }, [span.name || '(no name)']),
    folded ? h('span', { class: 'hidden-count' }, [`+${span.descendantCount.toLocaleString()}`]) : undefined,
    h('span', { class: `kind ${span.kind.toLowerCase()}` }, [span.kind.toLowerCase()]),
  ])
}

function timeCell(span: SpanView, state: RowState): HTMLElement {
  const { durationMs } = state
  const percent = (ms: number): number => (durationMs === 0 ? 0 : (ms / durationMs) * 100)
  const left = percent(span.startMs)
  // What runs has an open end: its bar fades out at the edge, wherever it was last seen.
  const width = span.state === 'pending' ? 100 - left : percent(span.durationMs)
  const label = `${timeText(span, state)}${span.status === 'ERROR' ? ' ✗' : ''}`
  const { queue } = span
  const place = labelPlace({
    from: percent(queue?.startMs ?? span.startMs),
    right: left + width,
    room: span.state === undefined ? 16 : 40,
  })
  return h('div', { class: 'time' }, [
    queue && queue.durationMs > 0
      ? h('span', {
          class: 'queue',
          style: { left: `${percent(queue.startMs)}%`, width: `${percent(queue.durationMs)}%` },
          attributes: { title: `waited ${formatDuration(queue.durationMs)} in the queue` },
        })
      : undefined,
    h('span', { class: 'bar', style: { left: `${left}%`, width: `${width}%` } }),
    ...span.events.slice(0, eventsDrawnMax).map((event) =>
      h('span', {
        class: event.name === 'exception' ? 'event exception' : 'event',
        style: { left: `${Math.max(0, Math.min(100, percent(event.timeMs)))}%` },
        attributes: { title: event.name },
      }),
    ),
    h(
      'span',
      { ...place, ...(span.interruption !== undefined && { attributes: { title: span.interruption } }) },
      [
        label,
        span.interruption === undefined ? undefined : h('b', { class: 'state' }, [' interrupted']),
        queue ? h('small', {}, [` queue ${formatDuration(queue.durationMs)}`]) : undefined,
      ],
    ),
  ])
}

const timeText = (span: SpanView, { startUnixMs }: RowState): string =>
  span.state === 'pending'
    ? `running since ${formatClock(startUnixMs + span.startMs)}`
    : formatDuration(span.durationMs)

/** More dots than this on one bar cannot be told apart; the details list them all. */
const eventsDrawnMax = 50

/** After the bar, else before it, else in it: wherever there is room. Places and room are percent of the time's width. */
function labelPlace(bar: { readonly from: number; readonly right: number; readonly room: number }): {
  readonly class: string
  readonly style: Readonly<Record<string, string>>
} {
  if (bar.right < 100 - bar.room) return { class: 'label', style: { left: `calc(${bar.right}% + 8px)` } }
  if (bar.from > bar.room + 8) return { class: 'label', style: { right: `calc(${100 - bar.from}% + 8px)` } }
  return { class: 'label inside', style: { right: `calc(${100 - bar.right}% + 8px)` } }
}
