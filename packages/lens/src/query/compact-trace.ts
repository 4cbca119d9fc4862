import type { SpanKindName, SpanView, TraceView } from './trace-view.ts'

/**
 * A trace for the page, by columns: a number per span where the plain form has a name, and nothing where a span is as most
 * are. A fifth of the bytes of the plain form; at 50,000 spans these bytes are most of the time between click and waterfall.
 */
export interface CompactTrace extends Omit<TraceView, 'spans'> {
  readonly spans: SpanColumns
}

/** Each column has one entry per span. What follows from the others is left out: parent, descendants, service. */
interface SpanColumns {
  /** 16 hexadecimal digits per span, one behind the other. */
  readonly spanIds: string
  readonly depths: readonly number[]
  /** Indexes into `nameTexts`. */
  readonly names: readonly number[]
  readonly nameTexts: readonly string[]
  /** Indexes into `kindNames`. */
  readonly kinds: readonly number[]
  readonly startsMs: readonly number[]
  readonly durationsMs: readonly number[]
  /** Indexes into the trace's sources. */
  readonly sources: readonly number[]
  /** What is unusual about some spans, by index. */
  readonly unusual: Readonly<Record<number, Unusual>>
}

type Draft<T> = { -readonly [K in keyof T]: T[K] }
type Unusual = Draft<Partial<Pick<SpanView, UnusualField>>>
type UnusualField =
  | 'parentSpanId'
  | 'missingParent'
  | 'state'
  | 'interruption'
  | 'status'
  | 'statusMessage'
  | 'queue'
  | 'clockSkewMs'
  | 'events'
  | 'links'
  | 'droppedCount'
  | 'traceState'

const kindNames: readonly SpanKindName[] = ['INTERNAL', 'SERVER', 'CLIENT', 'PRODUCER', 'CONSUMER']
const spanIdLength = 16

/** Leaves attributes out. */
export function compactTrace(trace: TraceView): CompactTrace {
  const { spans } = trace
  const nameIndexes = new Map<string, number>()
  const unusual: Record<number, Unusual> = {}
  spans.forEach((span, index) => {
    if (!nameIndexes.has(span.name)) nameIndexes.set(span.name, nameIndexes.size)
    const found = unusualOf(span)
    if (found !== undefined) unusual[index] = found
  })
  return {
    ...trace,
    spans: {
      spanIds: spans.map((span) => span.spanId).join(''),
      depths: spans.map((span) => span.depth),
      names: spans.map((span) => nameIndexes.get(span.name) ?? 0),
      nameTexts: [...nameIndexes.keys()],
      kinds: spans.map((span) => kindNames.indexOf(span.kind)),
      startsMs: spans.map((span) => span.startMs),
      durationsMs: spans.map((span) => span.durationMs),
      sources: spans.map((span) => span.source),
      unusual,
    },
  }
}

function unusualOf(span: SpanView): Unusual | undefined {
  const unusual: Unusual = {}
  // Below another span, its parent is that one.
  if (span.depth === 0 && span.parentSpanId !== '') unusual.parentSpanId = span.parentSpanId
  if (span.missingParent) unusual.missingParent = true
  if (span.state !== undefined) unusual.state = span.state
  if (span.interruption !== undefined) unusual.interruption = span.interruption
  if (span.status !== 'UNSET') unusual.status = span.status
  if (span.statusMessage !== '') unusual.statusMessage = span.statusMessage
  if (span.queue !== undefined) unusual.queue = span.queue
  if (span.clockSkewMs !== undefined) unusual.clockSkewMs = span.clockSkewMs
  if (span.events.length > 0) unusual.events = span.events
  if (span.links.length > 0) unusual.links = span.links
  if (span.droppedCount > 0) unusual.droppedCount = span.droppedCount
  if (span.traceState !== '') unusual.traceState = span.traceState
  for (const _ in unusual) return unusual
  return undefined
}

/** The inverse, except that attributes stay behind. */
export function expandTrace(trace: CompactTrace): TraceView {
  const columns = trace.spans
  const spans: Draft<SpanView>[] = []
  // The spans above the current one, root first.
  const above: Draft<SpanView>[] = []
  for (let index = 0; index < columns.depths.length; index++) {
    const depth = columns.depths[index] ?? 0
    for (const ended of above.splice(depth)) ended.descendantCount = index - ended.descendantCount - 1
    const span = expandSpan(trace, { index, depth, parentSpanId: above[depth - 1]?.spanId ?? '' })
    // Until all below it have been seen, its own index stands here.
    span.descendantCount = index
    above.push(span)
    spans.push(span)
  }
  for (const ended of above) ended.descendantCount = spans.length - ended.descendantCount - 1
  return { ...trace, spans }
}

/** Field by field: with spread, a large trace takes several times as long. */
function expandSpan(
  { sources, spans }: CompactTrace,
  place: { readonly index: number; readonly depth: number; readonly parentSpanId: string },
): Draft<SpanView> {
  const { index } = place
  const unusual = spans.unusual[index] ?? noneUnusual
  const source = spans.sources[index] ?? 0
  const span: Draft<SpanView> = {
    spanId: spans.spanIds.slice(index * spanIdLength, (index + 1) * spanIdLength),
    parentSpanId: unusual.parentSpanId ?? place.parentSpanId,
    depth: place.depth,
    descendantCount: 0,
    missingParent: unusual.missingParent ?? false,
    name: spans.nameTexts[spans.names[index] ?? -1] ?? '',
    service: sources[source]?.service ?? '',
    kind: kindNames[spans.kinds[index] ?? 0] ?? 'INTERNAL',
    startMs: spans.startsMs[index] ?? 0,
    durationMs: spans.durationsMs[index] ?? 0,
    status: unusual.status ?? 'UNSET',
    statusMessage: unusual.statusMessage ?? '',
    events: unusual.events ?? none,
    links: unusual.links ?? none,
    droppedCount: unusual.droppedCount ?? 0,
    traceState: unusual.traceState ?? '',
    source,
  }
  if (unusual.state !== undefined) span.state = unusual.state
  if (unusual.interruption !== undefined) span.interruption = unusual.interruption
  if (unusual.queue !== undefined) span.queue = unusual.queue
  if (unusual.clockSkewMs !== undefined) span.clockSkewMs = unusual.clockSkewMs
  return span
}

const none: readonly never[] = []
const noneUnusual: Unusual = {}
