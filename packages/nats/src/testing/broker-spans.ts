import { EventEmitter, once } from 'node:events'
import { type Attributes, type HrTime, SpanKind, SpanStatusCode } from '@opentelemetry/api'
import { type ReadableSpan, TracerProvider, w3cTraceContextPropagator } from '@throughline/trace'

/** A span with what the broker's spans have and the others do not. */
export interface BrokerSpanView {
  readonly name: string
  readonly kind: string
  readonly traceId: string
  readonly spanId: string
  readonly parentId: string | undefined
  readonly linkIds: readonly string[]
  readonly attributes: Attributes
  readonly events: readonly (readonly [string, Attributes])[]
  readonly startTime: HrTime
  readonly endTime: HrTime
  readonly error: string | undefined
}

function done(): Promise<void> {
  return Promise.resolve()
}

/** All spans that ended under Throughline's tracer, which it registers globally. */
export class BrokerSpans {
  ended: BrokerSpanView[] = []
  readonly #added = new EventEmitter()

  constructor() {
    const onEnd = (span: ReadableSpan): void => this.#add(span)
    const processor = { onStart() {}, onEnd, forceFlush: done, shutdown: done }
    new TracerProvider({ spanProcessors: [processor] }).register({ propagator: w3cTraceContextPropagator() })
  }

  /** The first span for which `matches` is true, now or later. */
  async find(matches: (span: BrokerSpanView) => boolean): Promise<BrokerSpanView> {
    for (;;) {
      const found = this.ended.find(matches)
      if (found !== undefined) return found
      await once(this.#added, 'span')
    }
  }

  #add(span: ReadableSpan): void {
    this.ended.push({
      name: span.name,
      kind: SpanKind[span.kind],
      traceId: span.spanContext().traceId,
      spanId: span.spanContext().spanId,
      parentId: span.parentSpanContext?.spanId,
      linkIds: span.links.map((link) => link.context.spanId),
      attributes: span.attributes,
      events: span.events.map(({ name, attributes = {} }) => [name, attributes]),
      startTime: span.startTime,
      endTime: span.endTime,
      error: span.status.code === SpanStatusCode.ERROR ? (span.status.message ?? '') : undefined,
    })
    this.#added.emit('span')
  }
}
