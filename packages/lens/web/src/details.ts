import { formatDuration } from '../../src/query/format-duration.ts'
import { fetchSpanDetails, type SpanDetails, type SpanView, type TraceView } from './api.ts'
import { h, pageLink } from './dom.ts'

export interface DetailsPanel {
  readonly element: HTMLElement
  show(span: SpanView | undefined): void
  /** The same trace with more spans: what is shown stays, with its place on the page. */
  update(trace: TraceView): void
}

type Attributes = SpanDetails['resource']

/** The side panel of one span: what the row has no room for. Attributes are fetched when a span is selected. */
export function detailsPanel(
  initial: TraceView,
  {
    colorOf,
    onClose,
  }: { readonly colorOf: (service: string) => string | undefined; readonly onClose: () => void },
): DetailsPanel {
  let trace = initial
  const element = h('aside', { class: 'details', attributes: { 'aria-label': 'Span details' } })
  element.hidden = true
  let shown: SpanView | undefined
  let drawn = ''
  const facts = h('div', { class: 'details-facts' })
  const draw = (span: SpanView): void => {
    drawn = versionOf(span, trace)
    facts.replaceChildren(...headOf(span, { color: colorOf(span.service), onClose }), ...partsOf(span, trace))
  }
  return {
    element,
    show(span) {
      shown = span
      element.hidden = span === undefined
      if (span === undefined) return
      const more = h('div', {}, [h('p', { class: 'loading' }, ['Loading…'])])
      draw(span)
      element.replaceChildren(facts, more)
      element.scrollTop = 0
      fetchSpanDetails(trace.traceId, span.spanId).then(
        (details) => {
          if (shown?.spanId === span.spanId) more.replaceChildren(...detailSections(details))
        },
        (error: unknown) => more.replaceChildren(h('p', { class: 'warning' }, [(error as Error).message])),
      )
    },
    update(next) {
      trace = next
      const span = next.spans.find(({ spanId }) => spanId === shown?.spanId)
      // Drawn anew only where something came in, so that selected text and the focus of a link stay.
      if (span !== undefined && versionOf(span, next) !== drawn) draw(span)
      shown = span ?? shown
    },
  }
}

/** Whatever of the trace shows in the panel of this span. */
function versionOf(span: SpanView, trace: TraceView): string {
  const { depth: _depth, descendantCount: _descendantCount, source: _source, ...own } = span
  const logs = trace.logs.filter((log) => log.spanId === span.spanId)
  const targets = span.links.map((link) => targetOf(link, trace)?.name)
  return JSON.stringify([own, logs, targets, trace.services])
}

function headOf(
  span: SpanView,
  { color, onClose }: { readonly color: string | undefined; readonly onClose: () => void },
): readonly HTMLElement[] {
  const facts: [string, string][] = [
    ['Service', span.service],
    ['Kind', span.kind],
    ['Starts at', formatDuration(span.startMs)],
    span.state === 'pending'
      ? ['Seen running', `for ${formatDuration(span.durationMs)}; it has not ended, as far as is known`]
      : ['Duration', formatDuration(span.durationMs)],
    ['Status', span.status],
    ['Span id', span.spanId],
  ]
  if (span.parentSpanId !== '')
    facts.push([span.missingParent ? 'Missing parent' : 'Parent', span.parentSpanId])
  if (span.queue) facts.push(['Queue time', formatDuration(span.queue.durationMs)])
  if (span.clockSkewMs !== undefined)
    facts.push(['Clocks differ', `seems to start ${formatDuration(span.clockSkewMs)} before its parent`])
  if (span.traceState !== '') facts.push(['Trace state', span.traceState])
  if (span.droppedCount > 0) facts.push(['Dropped by sender', String(span.droppedCount)])
  return [
    h('div', { class: 'details-head', style: { '--color': color ?? 'var(--muted)' } }, [
      h('h2', {}, [span.name || '(no name)']),
      h('button', { on: { click: onClose }, attributes: { type: 'button', 'aria-label': 'Close' } }, ['✕']),
    ]),
    ...failures(span).map((text) => h('p', { class: 'failure' }, [text])),
    table(facts),
  ]
}

/** An interrupted span says its reason twice: as such, and as its status. */
function failures(span: SpanView): readonly string[] {
  const texts = span.interruption === undefined ? [] : [`Interrupted: ${span.interruption}`]
  const isSaid = span.interruption?.includes(span.statusMessage) ?? false
  return span.status !== 'ERROR' || span.statusMessage === '' || isSaid
    ? texts
    : [...texts, span.statusMessage]
}

function partsOf(span: SpanView, trace: TraceView): readonly HTMLElement[] {
  const logs = trace.logs.filter((log) => log.spanId === span.spanId)
  return [
    ...section(
      'Events',
      span.events.map((event) =>
        entry(`${offset(event.timeMs - span.startMs)} ${event.name}`, event.attributes),
      ),
    ),
    ...section(
      'Links',
      span.links.map((link) => linkEntry(link, trace)),
    ),
    ...section(
      'Logs',
      logs.map((log) =>
        entry(`${offset(log.timeMs - span.startMs)} ${log.severityText} ${textOf(log.body)}`, log.attributes),
      ),
    ),
  ]
}

const offset = (ms: number): string => (ms < 0 ? `−${formatDuration(-ms)}` : `+${formatDuration(ms)}`)

function linkEntry(link: SpanView['links'][number], trace: TraceView): HTMLElement {
  const here = link.traceId === trace.traceId
  const target = targetOf(link, trace)
  const text = target === undefined ? `${link.traceId} ${link.spanId}` : `${target.service}: ${target.name}`
  const anchor = here
    ? h('a', { attributes: { href: `#${link.spanId}` } }, [text])
    : pageLink(`/trace/${link.traceId}#${link.spanId}`, {}, [text])
  return h('div', { class: 'entry' }, [anchor, attributeTable(link.attributes)])
}

const targetOf = (link: SpanView['links'][number], trace: TraceView): SpanView | undefined =>
  link.traceId === trace.traceId ? trace.spans.find((span) => span.spanId === link.spanId) : undefined

const entry = (title: string, attributes: Attributes): HTMLElement =>
  h('div', { class: 'entry' }, [h('b', {}, [title]), attributeTable(attributes)])

function detailSections(details: SpanDetails): readonly HTMLElement[] {
  const scope = [details.scopeName, details.scopeVersion].filter((text) => text !== '').join(' ')
  return [
    ...section('Attributes', tables(details.attributes ?? {})),
    ...section('Resource', tables(details.resource)),
    ...section(scope === '' ? 'Scope' : `Scope ${scope}`, tables(details.scopeAttributes)),
  ]
}

const tables = (attributes: Attributes): readonly HTMLElement[] =>
  Object.keys(attributes).length === 0 ? [] : [attributeTable(attributes)]

function section(title: string, children: readonly HTMLElement[]): readonly HTMLElement[] {
  if (children.length === 0 && !title.startsWith('Scope ')) return []
  return [h('section', {}, [h('h3', {}, [title]), ...children])]
}

const attributeTable = (attributes: Attributes): HTMLElement =>
  table(Object.entries(attributes).map(([key, value]) => [key, textOf(value)]))

const textOf = (value: unknown): string => (typeof value === 'string' ? value : JSON.stringify(value))

const table = (rows: readonly (readonly [string, string])[]): HTMLElement =>
  h(
    'dl',
    {},
    rows.flatMap(([key, value]) => [h('dt', {}, breakable(key)), h('dd', {}, [value])]),
  )

/** A long key breaks behind its dots and underscores, and only then inside a word. */
const breakable = (key: string): readonly (Node | string)[] =>
  key.split(/(?<=[._])/).flatMap((part, i) => (i === 0 ? [part] : [h('wbr'), part]))
