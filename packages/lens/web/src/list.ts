import { formatDuration } from '../../src/query/format-duration.ts'
import { fetchServices, fetchTraces, type ListFilter, type TraceListEntry } from './api.ts'
import { h, pageLink } from './dom.ts'
import { counted, formatAge, formatTime, serviceColors } from './format.ts'
import { brand, nothingToStop, type Page, repeat } from './page.ts'

const refreshMs = 2_000
/** Services named in a row; the others are counted. */
const chipsMax = 6

export const showList: Page = (app) => {
  document.title = 'Lens'
  const state = h('span', { class: 'live', attributes: { role: 'status' } }, ['connecting…'])
  const body = h('div', { class: 'traces' })
  let shown = ''
  const refresh = async (): Promise<boolean> => {
    try {
      const [traces, services] = await Promise.all([fetchTraces(filter.value()), fetchServices()])
      filter.setServices(services)
      state.className = 'live on'
      state.textContent = 'live'
      // An unchanged list stays as it is, so that focus and selected text survive; ages move on once a minute.
      const version = JSON.stringify(traces) + Math.floor(Date.now() / 15_000)
      if (version !== shown) drawTraces(body, traces, { services, filtered: filter.isSet() })
      shown = version
    } catch (error) {
      state.className = 'live off'
      state.textContent = error instanceof TypeError ? 'Lens does not answer' : (error as Error).message
    }
    return true
  }
  let stop = nothingToStop
  const restart = (): void => {
    stop()
    stop = repeat(refresh, refreshMs)
  }
  const filter = filterBar(restart)
  app.append(h('header', { class: 'top' }, [brand(), filter.element, state]), h('main', {}, [body]))
  restart()
  return () => stop()
}

interface FilterBar {
  readonly element: HTMLElement
  value(): ListFilter
  isSet(): boolean
  setServices(names: readonly string[]): void
}

/** The filter lives in the address, so that a filtered list can be shared and the back button brings it back. */
function filterBar(onChange: () => void): FilterBar {
  const query = new URLSearchParams(location.search)
  const change = (): void => {
    const next = new URLSearchParams()
    if (service.value !== '') next.set('service', service.value)
    if (errors.checked) next.set('error', 'true')
    if (duration.value !== '') next.set('minDurationMs', duration.value)
    history.replaceState(null, '', next.size > 0 ? `?${next.toString()}` : location.pathname)
    onChange()
  }
  const on = { change }
  const initial = query.get('service') ?? ''
  const service = h('select', { on, attributes: { 'aria-label': 'Service' } }, [
    h('option', { attributes: { value: '' } }, ['All services']),
    ...(initial === '' ? [] : [h('option', { attributes: { value: initial } }, [initial])]),
  ])
  service.value = initial
  const errors = h('input', { on, attributes: { type: 'checkbox' } })
  errors.checked = query.get('error') === 'true'
  const duration = h('input', {
    on,
    attributes: {
      type: 'number',
      min: '0',
      step: 'any',
      placeholder: '0',
      'aria-label': 'At least this long, in ms',
    },
  })
  duration.value = query.get('minDurationMs') ?? ''
  return {
    element: h('form', { class: 'filter', on: { submit: (event) => event.preventDefault() } }, [
      service,
      h('label', {}, [errors, 'Errors only']),
      h('label', {}, ['At least', duration, 'ms']),
    ]),
    value: () => ({ service: service.value, errorsOnly: errors.checked, minDurationMs: duration.value }),
    isSet: () => service.value !== '' || errors.checked || duration.value !== '',
    setServices(names) {
      const known = new Set([...service.options].map((option) => option.value))
      for (const name of names)
        if (!known.has(name)) service.append(h('option', { attributes: { value: name } }, [name]))
    },
  }
}

function drawTraces(
  body: HTMLElement,
  traces: readonly TraceListEntry[],
  { services, filtered }: { readonly services: readonly string[]; readonly filtered: boolean },
): void {
  if (traces.length === 0) {
    body.replaceChildren(filtered ? nothingMatches() : nothingYet())
    return
  }
  const colors = serviceColors(services)
  const longestMs = Math.max(...traces.map((trace) => trace.durationMs))
  const focused = document.activeElement?.getAttribute('href')
  body.replaceChildren(
    h(
      'div',
      { class: 'trace-head', attributes: { 'aria-hidden': 'true' } },
      ['Trace', 'Services', 'Spans', 'Duration', 'Started'].map((text) => h('span', {}, [text])),
    ),
    ...traces.map((trace) => traceRow(trace, { colors, longestMs })),
  )
  for (const link of body.querySelectorAll('a')) if (link.getAttribute('href') === focused) link.focus()
}

function traceRow(
  trace: TraceListEntry,
  { colors, longestMs }: { readonly colors: ReadonlyMap<string, string>; readonly longestMs: number },
): HTMLElement {
  const share = longestMs === 0 ? 0 : (trace.durationMs / longestMs) * 100
  const failed = trace.errorCount > 0
  return pageLink(`/trace/${trace.traceId}`, { class: failed ? 'trace-row failed' : 'trace-row' }, [
    h('span', { class: 'root' }, [
      h('b', {}, [trace.rootName || '(no name)']),
      h('code', {}, [trace.traceId]),
    ]),
    h('span', { class: 'chips' }, [
      ...trace.services.slice(0, chipsMax).map((name) => serviceChip(name, colors.get(name))),
      trace.services.length > chipsMax ? `+${trace.services.length - chipsMax}` : undefined,
    ]),
    h('span', { class: 'number' }, [
      trace.spanCount.toLocaleString(),
      // The column's head says it, where there is room for one.
      h('span', { class: 'unit' }, [trace.spanCount === 1 ? ' span' : ' spans']),
      failed ? h('em', { class: 'errors' }, [counted(trace.errorCount, 'error')]) : undefined,
      trace.interruptedCount > 0
        ? h('em', { class: 'errors' }, [`${trace.interruptedCount.toLocaleString()} interrupted`])
        : undefined,
      trace.pendingCount > 0
        ? h('em', { class: 'running' }, [`${trace.pendingCount.toLocaleString()} running`])
        : undefined,
    ]),
    h('span', { class: 'duration' }, [
      formatDuration(trace.durationMs),
      h('i', { class: 'meter' }, [h('i', { style: { width: `${Math.max(share, 1)}%` } })]),
    ]),
    h('time', { attributes: { title: formatTime(trace.startTimeUnixNano) } }, [
      formatAge(trace.startTimeUnixNano, Date.now()),
    ]),
  ])
}

export const serviceChip = (name: string, color = 'var(--muted)'): HTMLElement =>
  h('span', { class: 'chip', attributes: { title: name } }, [
    h('i', { class: 'dot', style: { background: color } }),
    h('span', { class: 'chip-text' }, [name]),
  ])

const nothingMatches = (): HTMLElement =>
  h('div', { class: 'empty' }, [h('h2', {}, ['No trace matches the filter'])])

const nothingYet = (): HTMLElement =>
  h('div', { class: 'empty' }, [
    h('h2', {}, ['No traces yet']),
    h('p', {}, ['Point any OpenTelemetry exporter here; traces appear by themselves.']),
    h('pre', {}, [
      'OTEL_EXPORTER_OTLP_ENDPOINT=http://localhost:4317   # gRPC\nOTEL_EXPORTER_OTLP_ENDPOINT=http://localhost:4318   # HTTP',
    ]),
  ])
