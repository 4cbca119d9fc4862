import type {
  Attributes,
  AttributeValue,
  Exception,
  Link,
  Span,
  SpanContext,
  SpanStatus,
  TimeInput,
  TraceState,
} from '@opentelemetry/api'
import { spanIdHex, traceIdHex } from './hex.ts'
import { parseTraceState } from './tracestate.ts'
import type { IdWords } from './words.ts'

/** The two defined trace flags. https://www.w3.org/TR/trace-context-2/#trace-flags */
export const sampledFlag = 1
export const randomFlag = 2

/** What a span inherits and passes on: ids, flags and tracestate. */
export interface SpanIdentity extends Readonly<IdWords> {
  readonly traceFlags: number
  readonly traceStateText: string
  readonly isRemote: boolean
}

/**
 * A span whose ids are 32-bit words: hex is made only when somebody asks, and kept. Fields are `declare`d so that the
 * constructor's assignment is the only write to each of them.
 */
export abstract class IdentifiedSpan implements Span, SpanIdentity {
  declare readonly traceId0: number
  declare readonly traceId1: number
  declare readonly traceId2: number
  declare readonly traceId3: number
  declare readonly spanId0: number
  declare readonly spanId1: number
  /** W3C trace flags: sampled 1, random 2. */
  declare readonly traceFlags: number
  /** The serialized tracestate; empty when there is none. */
  declare readonly traceStateText: string
  declare private lazySpanContext: SpanContext | undefined

  constructor(ids: Readonly<IdWords>, traceFlags: number, traceStateText: string) {
    this.traceId0 = ids.traceId0
    this.traceId1 = ids.traceId1
    this.traceId2 = ids.traceId2
    this.traceId3 = ids.traceId3
    this.spanId0 = ids.spanId0
    this.spanId1 = ids.spanId1
    this.traceFlags = traceFlags
    this.traceStateText = traceStateText
    this.lazySpanContext = undefined
  }

  abstract get isRemote(): boolean

  spanContext(): SpanContext {
    this.lazySpanContext ??= makeSpanContext(this)
    return this.lazySpanContext
  }

  abstract setAttribute(key: string, value: AttributeValue): this
  abstract setAttributes(attributes: Attributes): this
  abstract addEvent(name: string, attributesOrTime?: Attributes | TimeInput, time?: TimeInput): this
  abstract addLink(link: Link): this
  abstract addLinks(links: Link[]): this
  abstract setStatus(status: SpanStatus): this
  abstract updateName(name: string): this
  abstract end(endTime?: TimeInput): void
  abstract isRecording(): boolean
  abstract recordException(exception: Exception, time?: TimeInput): void
}

function makeSpanContext(span: SpanIdentity): SpanContext {
  const spanContext: { -readonly [key in keyof SpanContext]: SpanContext[key] } = {
    traceId: traceIdHex(span),
    spanId: spanIdHex(span),
    traceFlags: span.traceFlags,
  }
  if (span.isRemote) spanContext.isRemote = true
  const traceState: TraceState | undefined =
    span.traceStateText === '' ? undefined : parseTraceState(span.traceStateText)
  if (traceState !== undefined) spanContext.traceState = traceState
  return spanContext
}
