import {
  type Attributes,
  type AttributeValue,
  type Exception,
  type Link,
  type SpanContext,
  type SpanStatus,
  SpanStatusCode,
  type TimeInput,
} from '@opentelemetry/api'
import { acceptValue, flattenAttributes, indexOfKey, type MutableFlatAttributes } from './attributes.ts'
import { type Clock, timeInputToMs } from './clock.ts'
import type { Diagnostics } from './diagnostics.ts'
import { exceptionAttributes } from './exception.ts'
import { IdentifiedSpan, type SpanIdentity } from './identified-span.ts'
import { serializeTraceState } from './non-recording-span.ts'
import type { OpenSpans } from './open-spans.ts'
import type {
  AttributeBlock,
  EventRecord,
  LinkRecord,
  RecordedSpan,
  RecordingSpan,
  ScopeRecord,
} from './records.ts'
import { noLimit, type SpanLimits } from './span-limits.ts'
import { toText } from './text.ts'
import type { IdWords } from './words.ts'

/** OTLP and the API number status codes alike. */
const okCode: number = SpanStatusCode.OK

/** What all spans of one tracer share. */
export interface SpanOwner {
  readonly scope: ScopeRecord
  readonly pipeline: SpanHost
}

/** What a span needs of its provider. */
export interface SpanHost {
  readonly clock: Clock
  readonly limits: Required<SpanLimits>
  readonly diagnostics: Diagnostics
  /** Undefined when nobody asked for a list of open spans. */
  readonly openSpans: OpenSpans | undefined
  /** The last moment at which the span still takes changes. */
  onEnding(span: Span): void
  onEnd(span: Span): void
}

export interface SpanStart {
  readonly ids: Readonly<IdWords>
  readonly traceFlags: number
  readonly traceStateText: string
  readonly parent: SpanIdentity | undefined
  readonly name: string
  readonly otlpKind: number
  readonly startTime: TimeInput | undefined
}

/**
 * A recording span, built for the hot path: flat fields, attributes in one array, one reading of the clock at each end.
 * It is the {@link RecordedSpan} that sinks get; nothing is converted when it ends.
 */
export class Span extends IdentifiedSpan implements RecordedSpan, RecordingSpan {
  declare readonly parentSpanId0: number
  declare readonly parentSpanId1: number
  declare readonly parentIsRemote: boolean
  declare name: string
  declare readonly otlpKind: number
  declare readonly startTimeMs: number
  declare endTimeMs: number
  declare flatAttributes: MutableFlatAttributes
  declare attributeBlock: AttributeBlock | undefined
  declare droppedAttributesCount: number
  declare eventRecords: EventRecord[] | undefined
  declare droppedEventsCount: number
  declare linkRecords: LinkRecord[] | undefined
  declare droppedLinksCount: number
  declare statusCode: number
  declare statusMessage: string
  declare ended: boolean
  /** What a processor needs beyond the record; set only where one is registered. */
  declare view: unknown
  /** The list of open spans runs through these; they exist only where such a list is kept. */
  declare previousOpen: Span | undefined
  declare nextOpen: Span | undefined
  declare private readonly owner: SpanOwner
  /** The clock's correction when the span started, so that its duration is monotonic. */
  declare private readonly correctionMs: number

  constructor(owner: SpanOwner, start: SpanStart) {
    super(start.ids, start.traceFlags, start.traceStateText)
    const parent = start.parent
    this.parentSpanId0 = parent === undefined ? 0 : parent.spanId0
    this.parentSpanId1 = parent === undefined ? 0 : parent.spanId1
    this.parentIsRemote = parent?.isRemote ?? false
    this.name = start.name
    this.otlpKind = start.otlpKind
    this.flatAttributes = []
    this.attributeBlock = undefined
    this.droppedAttributesCount = 0
    this.eventRecords = undefined
    this.droppedEventsCount = 0
    this.linkRecords = undefined
    this.droppedLinksCount = 0
    this.statusCode = 0
    this.statusMessage = ''
    this.ended = false
    this.view = undefined
    this.owner = owner
    const clock = owner.pipeline.clock
    const monotonicMs = clock.monotonicMs()
    this.correctionMs = clock.correctionMs(monotonicMs)
    this.startTimeMs =
      start.startTime === undefined ? monotonicMs + this.correctionMs : this.timeOf(start.startTime)
    // NaN and not 0: the field holds a double from its first write on, which keeps the object's layout stable.
    this.endTimeMs = Number.NaN
    if (owner.pipeline.openSpans !== undefined) {
      this.previousOpen = undefined
      this.nextOpen = undefined
    }
  }

  get isRemote(): boolean {
    return false
  }

  get scope(): ScopeRecord {
    return this.owner.scope
  }

  isRecording(): boolean {
    return !this.ended
  }

  setAttribute(key: string, value: AttributeValue): this {
    if (this.ended) return this.refuse('setAttribute')
    const { limits } = this.owner.pipeline
    if (typeof key !== 'string' || key === '') return this.setUncommonAttribute(key, value)
    if (typeof value === 'string') {
      if (value.length > limits.attributeValueLengthLimit) return this.setUncommonAttribute(key, value)
    } else if (typeof value !== 'number' && typeof value !== 'boolean') {
      return this.setUncommonAttribute(key, value)
    }
    this.storeAttribute(key, value)
    return this
  }

  setAttributes(attributes: Attributes): this {
    for (const key in attributes) {
      const value = attributes[key]
      if (value !== undefined && Object.hasOwn(attributes, key)) this.setAttribute(key, value)
    }
    return this
  }

  /** For our own instrumentation: attributes that many spans share. They must be valid and their keys distinct. */
  setAttributeBlock(block: AttributeBlock): this {
    if (this.ended) return this.refuse('setAttributeBlock')
    if (this.flatAttributes.length === 0 && this.attributeBlock === undefined) this.attributeBlock = block
    else this.addEntries(block.entries)
    return this
  }

  setFlatAttributes(attributes: MutableFlatAttributes): this {
    const { limits } = this.owner.pipeline
    const sharedLength = this.attributeBlock === undefined ? 0 : this.attributeBlock.entries.length
    const isWithinLimits =
      limits.attributeValueLengthLimit === noLimit &&
      sharedLength + attributes.length <= limits.attributeCountLimit * 2
    if (!this.ended && this.flatAttributes.length === 0 && isWithinLimits) {
      this.flatAttributes = attributes
      return this
    }
    for (let index = 0; index + 1 < attributes.length; index += 2) {
      this.setAttribute(attributes[index] as string, attributes[index + 1] as AttributeValue)
    }
    return this
  }

  addEvent(name: string, attributesOrTime?: Attributes | TimeInput, time?: TimeInput): this {
    if (this.ended) return this.refuse('addEvent')
    const { limits } = this.owner.pipeline
    if (limits.eventCountLimit === 0) {
      this.droppedEventsCount += 1
      return this
    }
    const onlyTime = isTimeInput(attributesOrTime)
    const { flat, droppedCount } = flattenAttributes(onlyTime ? undefined : attributesOrTime, {
      countMax: limits.attributePerEventCountLimit,
      valueLengthMax: limits.attributeValueLengthLimit,
    })
    const events = (this.eventRecords ??= [])
    if (events.length >= limits.eventCountLimit) {
      events.shift()
      this.droppedEventsCount += 1
    }
    const timeMs = this.timeOf(time ?? (onlyTime ? attributesOrTime : undefined))
    events.push({ name: toText(name), timeMs, flatAttributes: flat, droppedAttributesCount: droppedCount })
    return this
  }

  addLink(link: Link): this {
    if (this.ended) return this.refuse('addLink')
    const { limits } = this.owner.pipeline
    const spanContext: SpanContext | undefined = link?.context
    if (typeof spanContext?.traceId !== 'string' || typeof spanContext.spanId !== 'string') return this
    const links = (this.linkRecords ??= [])
    if (links.length >= limits.linkCountLimit) {
      this.droppedLinksCount += 1
      return this
    }
    const { flat, droppedCount } = flattenAttributes(link.attributes, {
      countMax: limits.attributePerLinkCountLimit,
      valueLengthMax: limits.attributeValueLengthLimit,
    })
    links.push({
      traceId: spanContext.traceId.toLowerCase(),
      spanId: spanContext.spanId.toLowerCase(),
      traceFlags: spanContext.traceFlags & 255,
      isRemote: spanContext.isRemote === true,
      traceStateText: serializeTraceState(spanContext.traceState),
      flatAttributes: flat,
      droppedAttributesCount: droppedCount + (link.droppedAttributesCount ?? 0),
    })
    return this
  }

  addLinks(links: Link[]): this {
    for (const link of links) this.addLink(link)
    return this
  }

  /** OK is final; UNSET is ignored; only ERROR keeps a message. https://opentelemetry.io/docs/specs/otel/trace/api/#set-status */
  setStatus(status: SpanStatus): this {
    if (this.ended) return this.refuse('setStatus')
    const code = status?.code
    if (this.statusCode === okCode || (code !== SpanStatusCode.OK && code !== SpanStatusCode.ERROR))
      return this
    this.statusCode = code
    const limit = this.owner.pipeline.limits.attributeValueLengthLimit
    this.statusMessage =
      code === SpanStatusCode.ERROR && typeof status.message === 'string'
        ? status.message.slice(0, limit)
        : ''
    return this
  }

  updateName(name: string): this {
    if (this.ended) return this.refuse('updateName')
    this.name = toText(name)
    return this
  }

  recordException(exception: Exception, time?: TimeInput): void {
    if (this.ended) {
      this.refuse('recordException')
      return
    }
    this.addEvent('exception', exceptionAttributes(exception), time)
  }

  end(endTime?: TimeInput): void {
    if (this.ended) {
      this.refuse('end')
      return
    }
    const { pipeline } = this.owner
    const endTimeMs =
      endTime === undefined ? pipeline.clock.monotonicMs() + this.correctionMs : this.timeOf(endTime)
    pipeline.onEnding(this)
    this.ended = true
    this.endTimeMs = endTimeMs < this.startTimeMs ? this.clampEnd(endTimeMs) : endTimeMs
    pipeline.onEnd(this)
  }

  private storeAttribute(key: string, value: MutableFlatAttributes[number]): void {
    const attributes = this.flatAttributes
    const index = indexOfKey(attributes, key)
    if (index !== -1) {
      attributes[index + 1] = value
      return
    }
    const block = this.attributeBlock
    let count = attributes.length >>> 1
    if (block !== undefined) {
      if (indexOfKey(block.entries, key) !== -1) {
        this.unshareBlock(block)
        this.storeAttribute(key, value)
        return
      }
      count += block.entries.length >>> 1
    }
    if (count >= this.owner.pipeline.limits.attributeCountLimit) this.droppedAttributesCount += 1
    else attributes.push(key, value)
  }

  /** Arrays, strings over the limit, and everything that OpenTelemetry's rules refuse. */
  private setUncommonAttribute(key: string, value: unknown): this {
    // undefined and null say "not known", as everywhere in OpenTelemetry JS.
    if (value === undefined || value === null) return this
    const { limits, diagnostics } = this.owner.pipeline
    const accepted = acceptValue(value, limits.attributeValueLengthLimit)
    if (accepted === undefined || typeof key !== 'string' || key === '') {
      diagnostics.warn(
        'attribute',
        `attribute ${JSON.stringify(key)} of span "${this.name}" ignored: not a valid key and value`,
      )
      return this
    }
    this.storeAttribute(key, accepted)
    return this
  }

  /** One of the shared attributes changes for this span alone. */
  private unshareBlock(block: AttributeBlock): void {
    this.attributeBlock = undefined
    this.flatAttributes = [...block.entries, ...this.flatAttributes]
  }

  private addEntries(entries: AttributeBlock['entries']): void {
    for (let index = 0; index + 1 < entries.length; index += 2) {
      this.storeAttribute(entries[index] as string, entries[index + 1] as MutableFlatAttributes[number])
    }
  }

  private timeOf(input: TimeInput | undefined): number {
    const { clock } = this.owner.pipeline
    if (input !== undefined) {
      const timeMs = timeInputToMs(input, {
        unixNano: clock.originUnixNano,
        performanceCorrectionMs: this.correctionMs,
      })
      if (timeMs !== undefined) return timeMs
      this.owner.pipeline.diagnostics.warn(
        'time',
        `invalid time given to span "${this.name}": the current time is used`,
      )
    }
    return clock.monotonicMs() + this.correctionMs
  }

  private clampEnd(endTimeMs: number): number {
    this.owner.pipeline.diagnostics.warn(
      'duration',
      `span "${this.name}" ended ${this.startTimeMs - endTimeMs} ms before it started: its duration is set to 0`,
    )
    return this.startTimeMs
  }

  private refuse(operation: string): this {
    this.owner.pipeline.diagnostics.warn(
      'ended',
      `${operation}() on span "${this.name}", which has ended, is ignored`,
    )
    return this
  }
}

function isTimeInput(value: unknown): value is TimeInput {
  return typeof value === 'number' || Array.isArray(value) || value instanceof Date
}
