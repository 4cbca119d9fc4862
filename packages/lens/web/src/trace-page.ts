import { formatDuration } from '../../src/query/format-duration.ts'
import { ApiError, fetchTrace, type TraceView } from './api.ts'
import { detailsPanel } from './details.ts'
import { h } from './dom.ts'
import { counted, formatTime, msOf, serviceColors } from './format.ts'
import { serviceChip } from './list.ts'
import { brand, type Page, repeat } from './page.ts'
import { Waterfall } from './waterfall.ts'

const refreshMs = 2_000
/** A trace this young may still grow, and so may one with running spans; others and larger ones are not asked for again. */
const growsForMs = 60_000
const refreshSpansMax = 5_000

export const showTrace =
  (traceId: string): Page =>
  (app) => {
    document.title = `${traceId.slice(0, 8)} · Lens`
    const facts = h('div', { class: 'facts' })
    const main = h('main', { class: 'trace' }, [h('p', { class: 'loading' }, ['Loading…'])])
    app.append(h('header', { class: 'top' }, [brand(), facts]), main)
    let drawing: TraceDrawing | undefined
    let shown = ''
    const refresh = async (): Promise<boolean> => {
      try {
        const trace = await fetchTrace(traceId)
        // A span that has ended at last, or is known to be interrupted, changes no other number.
        const version = [
          trace.spanCount,
          trace.durationMs,
          trace.logs.length,
          trace.pendingCount,
          trace.interruptedCount,
        ].join()
        if (version !== shown) {
          shown = version
          if (drawing === undefined) drawing = drawTrace(trace, { facts, main })
          else drawing.update(trace)
        }
        const isYoung = Date.now() - msOf(trace.startTimeUnixNano) < growsForMs
        return trace.spanCount <= refreshSpansMax && (isYoung || trace.pendingCount > 0)
      } catch (error) {
        if (shown === '') drawFailure(main, error)
        return error instanceof ApiError && error.status === 404
      }
    }
    const stop = repeat(refresh, refreshMs)
    return () => {
      stop()
      drawing?.stop()
    }
  }

function drawFailure(main: HTMLElement, error: unknown): void {
  const unknown = error instanceof ApiError && error.status === 404
  main.replaceChildren(
    h('div', { class: 'empty' }, [
      h('h2', {}, [unknown ? 'This trace is not here' : 'The trace could not be read']),
      h('p', {}, [
        unknown
          ? 'No span of it has arrived yet, or it has been deleted by age. This page looks again.'
          : (error as Error).message,
      ]),
    ]),
  )
}

interface TraceDrawing {
  /** Shows the same trace with more spans; folds, selection, scroll position and focus stay. */
  update(trace: TraceView): void
  stop(): void
}

function drawTrace(
  initial: TraceView,
  { facts, main }: { readonly facts: HTMLElement; readonly main: HTMLElement },
): TraceDrawing {
  let colors = serviceColors(initial.services)
  const colorOf = (service: string): string | undefined => colors.get(service)
  const id = copyable(initial.traceId)
  const legend = h('div', { class: 'legend' })
  const panel = detailsPanel(initial, { colorOf, onClose: () => view.select(undefined) })
  const view: Waterfall = new Waterfall(initial, {
    colorOf,
    onSelect: (span) => {
      history.replaceState(null, '', span === undefined ? location.pathname : `#${span.spanId}`)
      panel.show(span)
    },
  })
  const drawFrame = (trace: TraceView): void => {
    document.title = `${trace.rootName} · Lens`
    drawFacts(facts, { trace, id })
    legend.replaceChildren(...legendOf(trace, colors))
  }
  drawFrame(initial)
  main.replaceChildren(legend, h('div', { class: 'split' }, [view.element, panel.element]))
  view.start()
  const selectFromHash = (): void => view.select(location.hash.slice(1) || undefined)
  selectFromHash()
  addEventListener('hashchange', selectFromHash)
  return {
    update(trace) {
      colors = serviceColors(trace.services)
      drawFrame(trace)
      view.update(trace)
      panel.update(trace)
    },
    stop() {
      removeEventListener('hashchange', selectFromHash)
      view.stop()
    },
  }
}

/** Around the button with the id, which stays as it is: it may have the focus. */
function drawFacts(
  facts: HTMLElement,
  { trace, id }: { readonly trace: TraceView; readonly id: HTMLElement },
): void {
  for (const other of facts.querySelectorAll(':scope > :not(.id)')) other.remove()
  facts.prepend(h('h1', { attributes: { title: trace.rootName } }, [trace.rootName || '(no name)']))
  if (!id.isConnected) facts.append(id)
  facts.append(
    h('span', { class: 'fact' }, [formatDuration(trace.durationMs)]),
    h('span', { class: 'fact' }, [counted(trace.spanCount, 'span')]),
    ...(trace.errorCount > 0
      ? [h('span', { class: 'fact errors' }, [counted(trace.errorCount, 'error')])]
      : []),
    ...stateFacts(trace),
    h('time', { class: 'fact' }, [formatTime(trace.startTimeUnixNano)]),
  )
}

/** How many of its spans run, and how many were interrupted; nothing where all have ended. */
const stateFacts = ({ pendingCount, interruptedCount }: TraceView): readonly HTMLElement[] => [
  ...(pendingCount > 0
    ? [h('span', { class: 'fact running' }, [`${pendingCount.toLocaleString()} running`])]
    : []),
  ...(interruptedCount > 0
    ? [h('span', { class: 'fact errors' }, [`${interruptedCount.toLocaleString()} interrupted`])]
    : []),
]

const legendOf = (trace: TraceView, colors: ReadonlyMap<string, string>): readonly HTMLElement[] => [
  ...trace.services.map((name) => serviceChip(name, colors.get(name))),
  ...(trace.spans.some((span) => span.queue)
    ? [h('span', { class: 'chip' }, [h('i', { class: 'dot queue' }), 'queue time'])]
    : []),
  ...notes(trace),
  h('span', { class: 'keys' }, ['↑ ↓ move   ← → fold   Esc close']),
]

function notes(trace: TraceView): readonly HTMLElement[] {
  const texts: string[] = []
  if (trace.missingParentCount > 0)
    texts.push(`${counted(trace.missingParentCount, 'span')} with a missing parent`)
  for (const { behind, ahead, skewMs } of trace.clockSkews)
    texts.push(`clocks differ: ${behind} is at least ${formatDuration(skewMs)} behind ${ahead}`)
  if (trace.truncated) texts.push(`only the earliest ${counted(trace.spanCount, 'span')} are shown`)
  return texts.map((text) => h('span', { class: 'chip warning' }, [text]))
}

function copyable(text: string): HTMLElement {
  const button = h('button', { class: 'id', attributes: { type: 'button', title: 'Copy the trace id' } }, [
    text,
  ])
  button.addEventListener('click', () => {
    navigator.clipboard.writeText(text).then(
      () => button.classList.add('copied'),
      () => undefined,
    )
  })
  return button
}
