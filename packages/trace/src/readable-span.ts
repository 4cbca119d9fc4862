import {
  type Span as ApiSpan,
  type Attributes,
  type AttributeValue,
  type Exception,
  type HrTime,
  type Link,
  type SpanContext,
  SpanKind,
  type SpanStatus,
  SpanStatusCode,
  type TimeInput,
} from '@opentelemetry/api'
import { attributesToObject } from './attributes.ts'
import { durationToHrTime, msToHrTime } from './clock.ts'
import type { ScopeRecord } from './records.ts'
import type { Span } from './span.ts'
import type { ReadableEvent, ReadableResource, ReadableSpan } from './span-processor.ts'
import { parseTraceState } from './tracestate.ts'

const kinds = [SpanKind.INTERNAL, SpanKind.SERVER, SpanKind.CLIENT, SpanKind.PRODUCER, SpanKind.CONSUMER]
const statusCodes = [SpanStatusCode.UNSET, SpanStatusCode.OK, SpanStatusCode.ERROR]

/**
 * OpenTelemetry SDK's view of one of our spans, for third-party processors. Everything is converted when it is asked
 * for; once the span has ended, each conversion is kept.
 */
export class ReadableSpanView implements ApiSpan, ReadableSpan {
  readonly resource: ReadableResource
  readonly parentSpanContext?: SpanContext
  readonly spanContext: () => SpanContext
  readonly #span: Span
  readonly #originUnixNano: bigint
  #attributes: Attributes | undefined
  #events: ReadableEvent[] | undefined
  #links: Link[] | undefined

  constructor(
    span: Span,
    from: {
      readonly resource: ReadableResource
      readonly originUnixNano: bigint
      readonly parentSpanContext: SpanContext | undefined
    },
  ) {
    this.#span = span
    this.#originUnixNano = from.originUnixNano
    this.resource = from.resource
    if (from.parentSpanContext !== undefined) this.parentSpanContext = from.parentSpanContext
    this.spanContext = () => span.spanContext()
  }

  get name(): string {
    return this.#span.name
  }
  get kind(): SpanKind {
    // OTLP counts kinds from 1, the API from 0.
    return kinds[this.#span.otlpKind - 1] ?? SpanKind.INTERNAL
  }
  get startTime(): HrTime {
    return msToHrTime(this.#span.startTimeMs, this.#originUnixNano)
  }
  get endTime(): HrTime {
    return this.#span.ended ? msToHrTime(this.#span.endTimeMs, this.#originUnixNano) : [0, 0]
  }
  get duration(): HrTime {
    return this.#span.ended ? durationToHrTime(this.#span.endTimeMs - this.#span.startTimeMs) : [-1, -1]
  }
  get ended(): boolean {
    return this.#span.ended
  }
  get status(): SpanStatus {
    const { statusMessage: message } = this.#span
    const code = statusCodes[this.#span.statusCode] ?? SpanStatusCode.UNSET
    return message === '' ? { code } : { code, message }
  }
  get attributes(): Attributes {
    if (this.#attributes !== undefined) return this.#attributes
    const block = this.#span.attributeBlock?.entries ?? []
    const attributes = attributesToObject(block, this.#span.flatAttributes)
    if (this.#span.ended) this.#attributes = attributes
    return attributes
  }
  get events(): ReadableEvent[] {
    if (this.#events !== undefined) return this.#events
    const events = (this.#span.eventRecords ?? []).map((event) => ({
      name: event.name,
      time: msToHrTime(event.timeMs, this.#originUnixNano),
      attributes: attributesToObject(event.flatAttributes),
      droppedAttributesCount: event.droppedAttributesCount,
    }))
    if (this.#span.ended) this.#events = events
    return events
  }
  get links(): Link[] {
    if (this.#links !== undefined) return this.#links
    const links = (this.#span.linkRecords ?? []).map((link) => {
      const traceState = parseTraceState(link.traceStateText)
      const context: SpanContext = {
        traceId: link.traceId,
        spanId: link.spanId,
        traceFlags: link.traceFlags,
        ...(link.isRemote && { isRemote: true }),
        ...(traceState !== undefined && { traceState }),
      }
      const attributes = attributesToObject(link.flatAttributes)
      return { context, attributes, droppedAttributesCount: link.droppedAttributesCount }
    })
    if (this.#span.ended) this.#links = links
    return links
  }
  get instrumentationScope(): ReadableSpan['instrumentationScope'] {
    return readableScope(this.#span.scope)
  }
  get droppedAttributesCount(): number {
    return this.#span.droppedAttributesCount
  }
  get droppedEventsCount(): number {
    return this.#span.droppedEventsCount
  }
  get droppedLinksCount(): number {
    return this.#span.droppedLinksCount
  }

  setAttribute(key: string, value: AttributeValue): this {
    this.#span.setAttribute(key, value)
    return this
  }
  setAttributes(attributes: Attributes): this {
    this.#span.setAttributes(attributes)
    return this
  }
  addEvent(name: string, attributesOrTime?: Attributes | TimeInput, time?: TimeInput): this {
    this.#span.addEvent(name, attributesOrTime, time)
    return this
  }
  addLink(link: Link): this {
    this.#span.addLink(link)
    return this
  }
  addLinks(links: Link[]): this {
    this.#span.addLinks(links)
    return this
  }
  setStatus(status: SpanStatus): this {
    this.#span.setStatus(status)
    return this
  }
  updateName(name: string): this {
    this.#span.updateName(name)
    return this
  }
  end(endTime?: TimeInput): void {
    this.#span.end(endTime)
  }
  isRecording(): boolean {
    return this.#span.isRecording()
  }
  recordException(exception: Exception, time?: TimeInput): void {
    this.#span.recordException(exception, time)
  }
}

/** One object per scope: exporters group spans by its identity. */
const readableScopes = new WeakMap<ScopeRecord, ReadableSpan['instrumentationScope']>()

function readableScope(scope: ScopeRecord): ReadableSpan['instrumentationScope'] {
  let readable = readableScopes.get(scope)
  if (readable === undefined) {
    readable = {
      name: scope.name,
      ...(scope.version !== '' && { version: scope.version }),
      ...(scope.schemaUrl !== '' && { schemaUrl: scope.schemaUrl }),
    }
    readableScopes.set(scope, readable)
  }
  return readable
}

/** The resource of a provider in the shape of OpenTelemetry's SDK. */
export function readableResource(attributes: Attributes): ReadableResource {
  return {
    attributes,
    asyncAttributesPending: false,
    waitForAsyncAttributes: () => Promise.resolve(),
    getRawAttributes: () => Object.entries(attributes),
    merge: (other) => readableResource({ ...attributes, ...other?.attributes }),
  }
}
