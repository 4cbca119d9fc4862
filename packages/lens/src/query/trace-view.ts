import type { Attributes, AttributeValue, LogRecord, Source, Span, SpanEvent, SpanState } from '../model.ts'
import type { StoredTrace } from '../store.ts'
import { type ClockSkew, ClockSkews } from './clock-skew.ts'
import { interruptionText } from './interruption.ts'
import { type QueueNano, queueTimes } from './queue-time.ts'
import { orderSpans, type PlacedSpan } from './span-tree.ts'

/** OpenTelemetry's span kinds by name; a kind that is unknown is INTERNAL. */
export type SpanKindName = 'INTERNAL' | 'SERVER' | 'CLIENT' | 'PRODUCER' | 'CONSUMER'
/** OpenTelemetry's status codes by name. */
export type StatusName = 'UNSET' | 'OK' | 'ERROR'

/** How long a message waited: from the end of the span that published it to the start of the span that took it. */
export interface QueueTime {
  readonly producerSpanId: string
  /** Relative to the trace's start, as every time in a view. */
  readonly startMs: number
  /** Never negative: 0 when the message was taken before the publishing call had returned, or when clocks disagree. */
  readonly durationMs: number
}

/** An event of a span; `timeMs` counts from the trace's start. */
export interface EventView {
  readonly name: string
  readonly timeMs: number
  readonly attributes: Attributes
}

/** A link of a span to one in this trace or another. */
export interface LinkView {
  readonly traceId: string
  readonly spanId: string
  readonly attributes: Attributes
}

/** A span at its place in the tree; times count from the trace's start. */
export interface SpanView {
  readonly spanId: string
  readonly parentSpanId: string
  /** 0 for a root and for a span whose parent is missing. */
  readonly depth: number
  /** How many of the spans that follow lie below this one. */
  readonly descendantCount: number
  /** The parent's id is set, but no such span has arrived. */
  readonly missingParent: boolean
  readonly name: string
  readonly service: string
  readonly kind: SpanKindName
  readonly startMs: number
  /** Of a pending span: how long it had been open when it was last seen. */
  readonly durationMs: number
  /** `pending`: it runs, as far as is known. `interrupted`: its process died before its end. Absent for all others. */
  readonly state?: SpanState
  /** Of an interrupted span: how its process died, and which one that was. */
  readonly interruption?: string
  readonly status: StatusName
  readonly statusMessage: string
  readonly queue?: QueueTime
  /** By how much it seems to start before its parent, which is on another machine: their clocks differ by that or more. */
  readonly clockSkewMs?: number
  readonly events: readonly EventView[]
  readonly links: readonly LinkView[]
  readonly droppedCount: number
  readonly traceState: string
  /** Absent when the trace was asked for without details. */
  readonly attributes?: Attributes
  /** Index into the trace's `sources`. */
  readonly source: number
}

/** Where spans came from: a resource and an instrumentation scope, once for all spans that share them. */
export interface SourceView {
  readonly service: string
  readonly resource: Attributes
  readonly scopeName: string
  readonly scopeVersion: string
  readonly scopeAttributes: Attributes
}

/** A log record that carries the trace's id; `timeMs` counts from the trace's start. */
export interface LogView {
  readonly spanId: string
  readonly service: string
  readonly timeMs: number
  readonly severityNumber: number
  readonly severityText: string
  readonly body: AttributeValue
  readonly attributes: Attributes
}

/** One trace as page, terminal and API show it. Spans come depth first, children by start time; plain JSON throughout. */
export interface TraceView {
  readonly traceId: string
  readonly rootName: string
  readonly rootService: string
  /** Nanoseconds since 1970 of the earliest start, as decimal text since JSON has no 64-bit integers. */
  readonly startTimeUnixNano: string
  /** From the earliest start to the latest end, whichever spans these are; a pending one counts as far as it was seen. */
  readonly durationMs: number
  readonly spanCount: number
  readonly errorCount: number
  /** Spans that have not ended yet, as far as is known. */
  readonly pendingCount: number
  /** Spans whose process died before their end. */
  readonly interruptedCount: number
  readonly missingParentCount: number
  /** Times are as they were sent; this says where they cannot be compared. */
  readonly clockSkews: readonly ClockSkew[]
  /** The trace has more spans than fit; the earliest are shown. */
  readonly truncated: boolean
  readonly services: readonly string[]
  readonly sources: readonly SourceView[]
  readonly spans: readonly SpanView[]
  readonly logs: readonly LogView[]
}

const kindNames: readonly SpanKindName[] = [
  'INTERNAL',
  'INTERNAL',
  'SERVER',
  'CLIENT',
  'PRODUCER',
  'CONSUMER',
]
const statusNames: readonly StatusName[] = ['UNSET', 'OK', 'ERROR']

/**
 * Lays a stored trace out. Takes anything: missing parents, loops of parents, children outside their parent's time, ends
 * before starts. Pure; the order of equal times is by span id, so that the same trace always looks the same.
 */
export function buildTraceView(traceId: string, stored: StoredTrace): TraceView {
  const originNano = earliest(stored.spans)
  const msOf = (nano: bigint): number => Number(nano - originNano) / 1e6
  const queues = queueTimes(traceId, stored.spans)
  const sources = new Map<Source, number>()
  const ordered = orderSpans(stored.spans)
  const clocks = new ClockSkews()
  // The spans above the current one, root first.
  const above: Span[] = []
  let endMs = 0
  const spans = ordered.map((placed): SpanView => {
    const { span, depth } = placed
    above[depth] = span
    const clockSkewMs = clocks.add(span, depth === 0 ? undefined : above[depth - 1])
    const view = spanView(placed, { msOf, queue: queues.get(span.spanId), clockSkewMs, sources })
    endMs = Math.max(endMs, view.startMs + view.durationMs)
    return view
  })
  return {
    traceId,
    rootName: spans[0]?.name ?? '',
    rootService: spans[0]?.service ?? '',
    startTimeUnixNano: String(originNano),
    durationMs: endMs,
    spanCount: spans.length,
    errorCount: count(spans, (span) => span.status === 'ERROR'),
    pendingCount: count(spans, (span) => span.state === 'pending'),
    interruptedCount: count(spans, (span) => span.state === 'interrupted'),
    missingParentCount: count(spans, (span) => span.missingParent),
    clockSkews: clocks.list(),
    truncated: stored.truncated,
    services: [...new Set(spans.map((span) => span.service))].toSorted(),
    sources: [...sources.keys()],
    spans,
    logs: stored.logs.map((log) => logView(log, msOf)),
  }
}

/** Field by field: with spread and rest, a large trace takes several times as long. */
function spanView(
  placed: PlacedSpan,
  context: {
    readonly msOf: (nano: bigint) => number
    readonly queue: QueueNano | undefined
    readonly clockSkewMs: number | undefined
    readonly sources: Map<Source, number>
  },
): SpanView {
  const { span } = placed
  const { msOf, queue, clockSkewMs } = context
  const view: Draft<SpanView> = {
    spanId: span.spanId,
    parentSpanId: span.parentSpanId,
    depth: placed.depth,
    descendantCount: placed.descendantCount,
    missingParent: placed.missingParent,
    name: span.name,
    service: span.source.service,
    kind: kindNames[span.kind] ?? 'INTERNAL',
    startMs: msOf(span.startTimeUnixNano),
    durationMs: Math.max(0, Number(span.endTimeUnixNano - span.startTimeUnixNano) / 1e6),
    status: statusNames[span.statusCode] ?? 'UNSET',
    statusMessage: span.statusMessage,
    events: span.events.length === 0 ? noEvents : span.events.map((event) => eventView(event, msOf)),
    links: span.links,
    droppedCount: span.droppedCount,
    traceState: span.traceState,
    source: indexOf(context.sources, span.source),
  }
  if (span.state !== undefined) view.state = span.state
  if (span.state === 'interrupted') view.interruption = interruptionText(span)
  if (span.attributes !== undefined) view.attributes = span.attributes
  if (clockSkewMs !== undefined) view.clockSkewMs = clockSkewMs
  if (queue !== undefined)
    view.queue = {
      producerSpanId: queue.producerSpanId,
      startMs: msOf(queue.startTimeUnixNano),
      durationMs: Number(queue.durationNano) / 1e6,
    }
  return view
}

type Draft<T> = { -readonly [K in keyof T]: T[K] }

const noEvents: readonly EventView[] = []

const eventView = (event: SpanEvent, msOf: (nano: bigint) => number): EventView => ({
  name: event.name,
  timeMs: msOf(event.timeUnixNano),
  attributes: event.attributes,
})

const count = (spans: readonly SpanView[], is: (span: SpanView) => boolean): number =>
  spans.reduce((sum, span) => sum + (is(span) ? 1 : 0), 0)

function earliest(spans: readonly Span[]): bigint {
  let min = spans[0]?.startTimeUnixNano ?? 0n
  for (const span of spans) if (span.startTimeUnixNano < min) min = span.startTimeUnixNano
  return min
}

function indexOf(sources: Map<Source, number>, source: Source): number {
  const known = sources.get(source)
  if (known !== undefined) return known
  sources.set(source, sources.size)
  return sources.size - 1
}

const logView = (log: LogRecord, msOf: (nano: bigint) => number): LogView => ({
  spanId: log.spanId,
  service: log.source.service,
  timeMs: msOf(log.timeUnixNano),
  severityNumber: log.severityNumber,
  severityText: log.severityText,
  body: log.body,
  attributes: log.attributes,
})
