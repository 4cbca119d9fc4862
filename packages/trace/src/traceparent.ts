import type { SpanContext } from '@opentelemetry/api'
import { byteHex, HexReader, traceparentText } from './hex.ts'
import { IdentifiedSpan, randomFlag, sampledFlag } from './identified-span.ts'
import { NonRecordingSpan } from './non-recording-span.ts'
import type { IdWords } from './words.ts'

/** `00-` 32 hex `-` 16 hex `-` 2 hex. https://www.w3.org/TR/trace-context-2/#traceparent-header */
const traceparentChars = 55
/** Flags that are defined today; others MUST be zero in what goes out, so they are not taken in. */
const knownFlags = sampledFlag | randomFlag
const dash = 45

const reader = new HexReader()
const ids: IdWords = { traceId0: 0, traceId1: 0, traceId2: 0, traceId3: 0, spanId0: 0, spanId1: 0 }

/**
 * The remote parent that a traceparent names, or undefined when the text is not one. A higher version than 00 is read as
 * far as 00 goes, as W3C Trace Context level 2 wants it. `traceStateText` is taken as it is: normalize it before.
 */
export function parseTraceparent(text: string, traceStateText = ''): NonRecordingSpan | undefined {
  if (text.length < traceparentChars) return undefined
  if (text.charCodeAt(2) !== dash || text.charCodeAt(35) !== dash || text.charCodeAt(52) !== dash) {
    return isOptionalSpace(text.charCodeAt(0))
      ? parseTraceparent(trimOptionalSpace(text), traceStateText)
      : undefined
  }
  reader.reset()
  const version = reader.byte(text, 0)
  ids.traceId0 = reader.word(text, 3)
  ids.traceId1 = reader.word(text, 11)
  ids.traceId2 = reader.word(text, 19)
  ids.traceId3 = reader.word(text, 27)
  ids.spanId0 = reader.word(text, 36)
  ids.spanId1 = reader.word(text, 44)
  const traceFlags = reader.byte(text, 53)
  if (!reader.valid || version === 255) return undefined
  if ((ids.traceId0 | ids.traceId1 | ids.traceId2 | ids.traceId3) === 0) return undefined
  if ((ids.spanId0 | ids.spanId1) === 0) return undefined
  if (text.length > traceparentChars && !mayBeFollowed(text, version)) return undefined
  return new NonRecordingSpan(ids, traceFlags & knownFlags, traceStateText, true)
}

/** The traceparent of a span or its context, in version 00. */
export function formatTraceparent(span: IdentifiedSpan | SpanContext): string {
  if (span instanceof IdentifiedSpan) {
    return traceparentText(span, span.traceFlags & knownFlags)
  }
  return `00-${span.traceId}-${span.spanId}-${byteHex(span.traceFlags & knownFlags)}`
}

/** Only a future version may go on after the flags, and only with a dash; trailing space is nobody's. */
function mayBeFollowed(text: string, version: number): boolean {
  if (version !== 0 && text.charCodeAt(traceparentChars) === dash) return true
  return trimOptionalSpace(text).length === traceparentChars
}

/** HTTP's optional whitespace is space and tab; `trim()` would take line ends and more. */
function trimOptionalSpace(text: string): string {
  let start = 0
  let end = text.length
  while (start < end && isOptionalSpace(text.charCodeAt(start))) start += 1
  while (end > start && isOptionalSpace(text.charCodeAt(end - 1))) end -= 1
  return text.slice(start, end)
}

function isOptionalSpace(code: number): boolean {
  return code === 0x20 || code === 0x09
}
