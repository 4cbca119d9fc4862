import { formatDuration } from '../../src/query/format-duration.ts'
import type { SpanView, TraceView } from './api.ts'
import { h } from './dom.ts'
import { visibleRows } from './folding.ts'
import { msOf } from './format.ts'
import { drawRow, rowHeightPx } from './row.ts'

export interface WaterfallOptions {
  /** The colour of a service. */
  readonly colorOf: (service: string) => string | undefined
  /** Called with every change of the selection. */
  readonly onSelect: (span: SpanView | undefined) => void
}

/** Rows drawn beyond the visible ones on either side, so that scrolling never shows a gap. */
const spareRows = 12
const nothing = -1

/**
 * The waterfall of one trace. Only the rows in view are in the document, so that a trace of 50,000 spans scrolls like one
 * of 50. Spans are named by their index in `trace.spans`, rows by their place among those that no fold hides.
 */
export class Waterfall {
  readonly element: HTMLElement
  readonly #options: WaterfallOptions
  readonly #scroller: HTMLElement
  readonly #canvas = h('div', { class: 'rows' })
  readonly #folded = new Set<number>()
  readonly #resized = new ResizeObserver(() => this.#onResize())
  readonly #ruler = h('div', { class: 'ticks' })
  #trace: TraceView
  #rows: readonly number[]
  #selected = nothing
  #frame = 0

  constructor(trace: TraceView, options: WaterfallOptions) {
    this.#trace = trace
    this.#options = options
    this.#rows = visibleRows(trace.spans, this.#folded)
    const attributes = { role: 'tree', tabindex: '0', 'aria-label': 'Spans of the trace' }
    this.#scroller = h('div', { class: 'scroller', attributes }, [this.#canvas])
    this.#scroller.addEventListener('scroll', () => this.#redraw(), { passive: true })
    this.#scroller.addEventListener('keydown', (event) => this.#onKey(event))
    this.#scroller.addEventListener('click', (event) => this.#onClick(event))
    this.element = h('section', { class: 'waterfall' }, [
      h('div', { class: 'ruler' }, [h('span', { class: 'ruler-name' }, ['Span']), this.#ruler]),
      this.#scroller,
    ])
    this.#ruler.replaceChildren(...ticks(trace.durationMs))
  }

  /**
   * The same trace with more spans. Spans keep their ids but not their places, so folds and the selection go by id, and the
   * first row in view stays where it is.
   */
  update(trace: TraceView): void {
    const before = this.#trace
    const topRow = Math.floor(this.#scroller.scrollTop / rowHeightPx)
    const top = before.spans[this.#rows[topRow] ?? nothing]?.spanId
    const selected = before.spans[this.#selected]?.spanId
    const placeOf = new Map(trace.spans.map((span, index) => [span.spanId, index]))
    const moved = (spanId: string | undefined): number =>
      spanId === undefined ? nothing : (placeOf.get(spanId) ?? nothing)
    const folded = [...this.#folded].map((index) => moved(before.spans[index]?.spanId))
    this.#folded.clear()
    for (const index of folded) if (index >= 0) this.#folded.add(index)
    this.#trace = trace
    this.#selected = moved(selected)
    this.#rows = visibleRows(trace.spans, this.#folded)
    this.#ruler.replaceChildren(...ticks(trace.durationMs))
    this.#setHeight()
    const row = this.#rows.indexOf(moved(top))
    if (topRow > 0 && row >= 0) this.#scroller.scrollTop += (row - topRow) * rowHeightPx
    this.#draw()
  }

  /** Call once the element is in the document. */
  start(): void {
    this.#draw()
    this.#resized.observe(this.#scroller)
    this.#scroller.focus({ preventScroll: true })
  }

  stop(): void {
    this.#resized.disconnect()
    cancelAnimationFrame(this.#frame)
  }

  /** Selects a span, unfolds what hides it and scrolls to it. An unknown id or undefined selects nothing. */
  select(spanId: string | undefined): void {
    const { spans } = this.#trace
    const index = spanId === undefined ? nothing : spans.findIndex((span) => span.spanId === spanId)
    for (let above = parentOf(spans, index); above >= 0; above = parentOf(spans, above))
      this.#folded.delete(above)
    this.#rows = visibleRows(spans, this.#folded)
    this.#select(index)
  }

  #select(index: number): void {
    const changed = index !== this.#selected
    this.#selected = index
    const row = this.#rows.indexOf(index)
    if (row >= 0) keepInView(this.#scroller, row)
    this.#redraw()
    if (changed) this.#options.onSelect(this.#trace.spans[index])
  }

  #fold(index: number, folded: boolean): void {
    if (folded) this.#folded.add(index)
    else this.#folded.delete(index)
    this.#rows = visibleRows(this.#trace.spans, this.#folded)
    this.#redraw()
  }

  /** Opening the details may take the height away in which the selected row stood. */
  #onResize(): void {
    const row = this.#rows.indexOf(this.#selected)
    if (row >= 0) keepInView(this.#scroller, row)
    this.#redraw()
  }

  #redraw(): void {
    this.#frame ||= requestAnimationFrame(() => this.#draw())
  }

  #draw(): void {
    this.#frame = 0
    const { scrollTop, clientHeight } = this.#scroller
    const first = Math.max(0, Math.floor(scrollTop / rowHeightPx) - spareRows)
    const last = Math.ceil((scrollTop + clientHeight) / rowHeightPx) + spareRows
    this.#setHeight()
    this.#canvas.replaceChildren(
      ...this.#rows.slice(first, last).flatMap((index, i) => this.#row(index, first + i)),
    )
    if (this.#selected >= 0) this.#scroller.setAttribute('aria-activedescendant', `span-${this.#selected}`)
    else this.#scroller.removeAttribute('aria-activedescendant')
  }

  #setHeight(): void {
    this.#canvas.style.height = `${this.#rows.length * rowHeightPx}px`
  }

  #row(index: number, top: number): readonly HTMLElement[] {
    const span = this.#trace.spans[index]
    if (span === undefined) return []
    return [
      drawRow(span, {
        top,
        index,
        selected: index === this.#selected,
        folded: this.#folded.has(index),
        color: this.#options.colorOf(span.service),
        durationMs: this.#trace.durationMs,
        startUnixMs: msOf(this.#trace.startTimeUnixNano),
      }),
    ]
  }

  #onClick(event: MouseEvent): void {
    const target = event.target instanceof Element ? event.target : undefined
    const index = Number(target?.closest<HTMLElement>('[data-index]')?.dataset['index'] ?? nothing)
    if (index < 0) return
    if (target?.closest('.fold') === null) this.#select(index)
    else this.#fold(index, !this.#folded.has(index))
  }

  #onKey(event: KeyboardEvent): void {
    if (event.ctrlKey || event.metaKey || event.altKey || !this.#act(event.key)) return
    event.preventDefault()
  }

  /** What a key does; false for one that does nothing here. */
  #act(key: string): boolean {
    const row = this.#rows.indexOf(this.#selected)
    const page = Math.max(1, Math.floor(this.#scroller.clientHeight / rowHeightPx) - 1)
    switch (key) {
      case 'ArrowDown':
        return this.#moveTo(row + 1)
      case 'ArrowUp':
        return this.#moveTo(row - 1)
      case 'PageDown':
        return this.#moveTo(row + page)
      case 'PageUp':
        return this.#moveTo(row - page)
      case 'Home':
        return this.#moveTo(0)
      case 'End':
        return this.#moveTo(this.#rows.length - 1)
      case 'ArrowLeft':
        return this.#goOut()
      case 'ArrowRight':
        return this.#goIn(row)
      case 'Escape':
        this.#select(nothing)
        return true
      default:
        return false
    }
  }

  #moveTo(row: number): boolean {
    const index = this.#rows[Math.max(0, Math.min(this.#rows.length - 1, row))]
    if (index !== undefined) this.#select(index)
    return true
  }

  /** Folds what can be folded, else goes to the parent: as every tree does. https://www.w3.org/WAI/ARIA/apg/patterns/treeview/ */
  #goOut(): boolean {
    const index = this.#selected
    const span = this.#trace.spans[index]
    if (span === undefined) return true
    const parent = parentOf(this.#trace.spans, index)
    if (span.descendantCount > 0 && !this.#folded.has(index)) this.#fold(index, true)
    else if (parent >= 0) this.#select(parent)
    return true
  }

  #goIn(row: number): boolean {
    if (!this.#folded.has(this.#selected)) return this.#moveTo(row + 1)
    this.#fold(this.#selected, false)
    return true
  }
}

/** Spans stand depth first: the parent is the nearest one above with a smaller depth. */
function parentOf(spans: readonly SpanView[], index: number): number {
  const depth = spans[index]?.depth ?? 0
  if (depth === 0) return nothing
  for (let above = index - 1; above >= 0; above--) if ((spans[above]?.depth ?? 0) < depth) return above
  return nothing
}

function keepInView(scroller: HTMLElement, row: number): void {
  const top = row * rowHeightPx
  if (top < scroller.scrollTop) scroller.scrollTop = top
  else if (top + rowHeightPx > scroller.scrollTop + scroller.clientHeight)
    scroller.scrollTop = top + rowHeightPx - scroller.clientHeight
}

const tickShares = [0, 0.25, 0.5, 0.75, 1]

const ticks = (durationMs: number): readonly HTMLElement[] =>
  tickShares.map((share) => {
    const text = share === 0 ? '0' : formatDuration(durationMs * share)
    return h('span', { style: { left: `${share * 100}%` } }, [text])
  })
