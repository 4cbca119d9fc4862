import {
  INVALID_SPAN_CONTEXT,
  isSpanContextValid,
  type SpanContext,
  type TraceState,
} from '@opentelemetry/api'
import { HexReader } from './hex.ts'
import { IdentifiedSpan } from './identified-span.ts'
import type { IdWords } from './words.ts'

/**
 * A span that carries ids and records nothing: an unsampled local span, or the remote parent that a carrier named.
 * Every method of the recording span is there and does nothing.
 */
export class NonRecordingSpan extends IdentifiedSpan {
  declare readonly isRemote: boolean

  constructor(ids: Readonly<IdWords>, traceFlags: number, traceStateText: string, isRemote: boolean) {
    super(ids, traceFlags, traceStateText)
    this.isRemote = isRemote
  }

  setAttribute(): this {
    return this
  }
  setAttributes(): this {
    return this
  }
  addEvent(): this {
    return this
  }
  addLink(): this {
    return this
  }
  addLinks(): this {
    return this
  }
  setStatus(): this {
    return this
  }
  updateName(): this {
    return this
  }
  end(): void {}
  isRecording(): boolean {
    return false
  }
  recordException(): void {}
}

const noIds: IdWords = { traceId0: 0, traceId1: 0, traceId2: 0, traceId3: 0, spanId0: 0, spanId1: 0 }

/** The span of "nothing here": all ids zero, not sampled. */
export function invalidSpan(): NonRecordingSpan {
  return new NonRecordingSpan(noIds, INVALID_SPAN_CONTEXT.traceFlags, '', false)
}

const reader = new HexReader()

/**
 * The span of a SpanContext that another implementation made; undefined when the context is invalid. Ids are read in
 * either case, as OpenTelemetry's own validity check allows.
 */
export function spanFromSpanContext(spanContext: SpanContext): NonRecordingSpan | undefined {
  if (!isSpanContextValid(spanContext)) return undefined
  const ids = idsFromHex(spanContext.traceId.toLowerCase(), spanContext.spanId.toLowerCase())
  if (ids === undefined) return undefined
  return new NonRecordingSpan(
    ids,
    spanContext.traceFlags & 255,
    serializeTraceState(spanContext.traceState),
    spanContext.isRemote === true,
  )
}

/** Words of two lower-case hex texts; undefined when one of them is not hex of the right length or is all zero. */
export function idsFromHex(traceId: string, spanId: string): IdWords | undefined {
  if (traceId.length !== 32 || spanId.length !== 16) return undefined
  reader.reset()
  const ids: IdWords = {
    traceId0: reader.word(traceId, 0),
    traceId1: reader.word(traceId, 8),
    traceId2: reader.word(traceId, 16),
    traceId3: reader.word(traceId, 24),
    spanId0: reader.word(spanId, 0),
    spanId1: reader.word(spanId, 8),
  }
  if (!reader.valid) return undefined
  if ((ids.traceId0 | ids.traceId1 | ids.traceId2 | ids.traceId3) === 0) return undefined
  return (ids.spanId0 | ids.spanId1) === 0 ? undefined : ids
}

/** A foreign TraceState is foreign code: it may throw or return what is not text. */
export function serializeTraceState(traceState: TraceState | undefined): string {
  if (traceState === undefined) return ''
  try {
    const text: unknown = traceState.serialize()
    return typeof text === 'string' ? text : ''
  } catch {
    return ''
  }
}
