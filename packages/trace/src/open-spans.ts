import { SpanStatusCode } from '@opentelemetry/api'
import type { FlatAttributes, RecordedSpan } from './records.ts'
import type { Span } from './span.ts'
import { invalidOption } from './trace-error.ts'

/** The attribute that says that a span is not as its program ended it: `pending` or `interrupted`. */
export const spanStateKey = 'throughline.span.state'
/** The attribute that says why a span is `interrupted`: how its process died. */
export const spanInterruptionKey = 'throughline.span.interruption'

/** What `OpenSpans` takes. */
export interface OpenSpansOptions {
  /**
   * At most so many spans are kept; with one more the oldest falls out, so that spans which nobody ever ends take
   * bounded memory. Default 10,000.
   */
  readonly openSpansMax?: number
}

const openSpansMaxDefault = 10_000
/** OTLP and the API number status codes alike. */
const errorCode: number = SpanStatusCode.ERROR

/**
 * The sampled spans of a TracerProvider that have started and not ended, in the order in which they started: for those
 * who report them while they run or when the process dies. Give it to the provider as `openSpans`; without one nobody
 * keeps a list, and a span that is dropped without an end is garbage like everything else.
 *
 * The list runs through the spans themselves: it costs a few writes a span and no allocation.
 */
export class OpenSpans {
  readonly #openSpansMax: number
  #first: Span | undefined
  #last: Span | undefined
  #count = 0
  #forgottenCount = 0

  /** Throws a TraceError when `openSpansMax` is not a whole number from 1 to 1,000,000. */
  constructor(options: OpenSpansOptions = {}) {
    const { openSpansMax = openSpansMaxDefault } = options
    if (!Number.isInteger(openSpansMax) || openSpansMax < 1 || openSpansMax > 1_000_000)
      throw invalidOption('openSpansMax', openSpansMax, 'a whole number from 1 to 1000000')
    this.#openSpansMax = openSpansMax
  }

  /** Spans in the list. */
  get count(): number {
    return this.#count
  }

  /** Spans that fell out because more than `openSpansMax` were open. They may still end as all others do. */
  get forgottenCount(): number {
    return this.#forgottenCount
  }

  /**
   * Calls `visit` with each span that started before `startedBeforeMs` (milliseconds since the clock's origin, as
   * `startTimeMs` counts), in the order of the list, until it returns false. What it gets is the span itself, which may
   * still change and whose `endTimeMs` is NaN; {@link snapshotOf} makes a copy. `visit` MUST NOT end spans.
   */
  forEach(startedBeforeMs: number, visit: (span: RecordedSpan) => boolean): void {
    for (let span = this.#first; span !== undefined; span = span.nextOpen)
      if (span.startTimeMs < startedBeforeMs && !visit(span)) return
  }

  /** For the tracer: a span has started. Each span at most once. */
  add(span: Span): void {
    const last = this.#last
    if (last === undefined) this.#first = span
    else {
      last.nextOpen = span
      span.previousOpen = last
    }
    this.#last = span
    if (++this.#count > this.#openSpansMax) this.#forgetFirst()
  }

  /** For the tracer: a span has ended, whether it is in the list or fell out. */
  remove(span: Span): void {
    const { previousOpen: previous, nextOpen: next } = span
    if (previous === undefined) {
      if (this.#first !== span) return
      this.#first = next
    } else {
      previous.nextOpen = next
      // Whoever keeps an ended span must not keep its neighbours with it.
      span.previousOpen = undefined
    }
    if (next === undefined) this.#last = previous
    else {
      next.previousOpen = previous
      span.nextOpen = undefined
    }
    this.#count--
  }

  #forgetFirst(): void {
    if (this.#first === undefined) return
    this.remove(this.#first)
    this.#forgottenCount++
  }
}

/** How a copy of a span that has not ended differs from it. */
export interface SnapshotChange {
  /** Added behind the span's own, whose keys MUST be others. Limits do not count here. */
  readonly flatAttributes: FlatAttributes
  /** Milliseconds since the clock's origin, not before the start. Default: NaN, it has not ended. */
  readonly endTimeMs?: number
  /** Makes it failed, with this text. A span that has failed already keeps its own. */
  readonly error?: string
}

/** A copy of a span that has not ended, which later changes do not reach. The span itself stays as it is. */
export function snapshotOf(span: RecordedSpan, change: SnapshotChange): RecordedSpan {
  const { flatAttributes, endTimeMs = Number.NaN, error } = change
  const fails = error !== undefined && (span.statusCode !== errorCode || span.statusMessage === '')
  return {
    traceId0: span.traceId0,
    traceId1: span.traceId1,
    traceId2: span.traceId2,
    traceId3: span.traceId3,
    spanId0: span.spanId0,
    spanId1: span.spanId1,
    parentSpanId0: span.parentSpanId0,
    parentSpanId1: span.parentSpanId1,
    parentIsRemote: span.parentIsRemote,
    traceFlags: span.traceFlags,
    traceStateText: span.traceStateText,
    name: span.name,
    otlpKind: span.otlpKind,
    startTimeMs: span.startTimeMs,
    endTimeMs: endTimeMs < span.startTimeMs ? span.startTimeMs : endTimeMs,
    flatAttributes: [...span.flatAttributes, ...flatAttributes],
    attributeBlock: span.attributeBlock,
    droppedAttributesCount: span.droppedAttributesCount,
    eventRecords: span.eventRecords?.slice(),
    droppedEventsCount: span.droppedEventsCount,
    linkRecords: span.linkRecords?.slice(),
    droppedLinksCount: span.droppedLinksCount,
    statusCode: fails ? errorCode : span.statusCode,
    statusMessage: fails ? error : span.statusMessage,
    scope: span.scope,
  }
}
