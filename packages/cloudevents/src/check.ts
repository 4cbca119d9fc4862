import { attributesOf, type CloudEvent, CloudEventError } from './event.ts'
import { type HeaderSource, headerValue } from './headers.ts'
import { parseTimestamp } from './values.ts'

/** What a check can find. Match on this, never on the text. */
export type ViolationCode =
  /** The event cannot be written: CloudEventError says the same. */
  | 'invalid_event'
  | 'attribute_name'
  | 'attribute_name_long'
  | 'source_uri'
  | 'dataschema_uri'
  | 'time_format'
  | 'datacontenttype_format'
  | 'traceparent_missing'
  | 'traceparent_type'
  | 'traceparent_empty'
  | 'traceparent_format'
  | 'tracestate_type'
  | 'tracestate_format'
  /** One hop, and envelope and header name different spans. */
  | 'header_differs'
  /** Several hops, and the envelope is not what it was at the start. */
  | 'envelope_rewritten'

export interface Violation {
  readonly code: ViolationCode
  /** `must`: against the specification. `should`: against its advice. */
  readonly level: 'must' | 'should'
  readonly text: string
}

/** Everything about an event that is against CloudEvents 1.0.2 or its distributed-tracing extension; empty: nothing. */
export function checkEvent(event: CloudEvent): Violation[] {
  const violations: Violation[] = []
  try {
    attributesOf(event)
  } catch (error) {
    if (!(error instanceof CloudEventError)) throw error
    violations.push(must('invalid_event', error.message))
  }
  for (const name of Object.keys(event.extensions ?? {})) {
    if (!/^[a-z0-9]+$/.test(name)) {
      violations.push(must('attribute_name', `${quoted(name)} has other characters than a-z and 0-9`))
    }
    if (name.length > 20) {
      violations.push({
        code: 'attribute_name_long',
        level: 'should',
        text: `${quoted(name)} is longer than 20 characters`,
      })
    }
  }
  violations.push(...checkFormats(event), ...checkExtension(event))
  return violations
}

const uriReference = /^[A-Za-z0-9\-._~:/?#[\]@!$&'()*+,;=%]+$/
const uriScheme = /^[A-Za-z][A-Za-z0-9+.-]*:/
const badPercent = /%(?![0-9A-Fa-f]{2})/
const mediaType = /^[\w!#$&^.+-]+\/[\w!#$&^.+-]+[ \t]*(;|$)/

function checkFormats({ source, dataschema, time, datacontenttype }: CloudEvent): Violation[] {
  const violations: Violation[] = []
  if (!isUriReference(source))
    violations.push(must('source_uri', `source ${quoted(source)} is no URI-reference`))
  if (dataschema !== undefined && !(isUriReference(dataschema) && uriScheme.test(dataschema))) {
    violations.push(must('dataschema_uri', `dataschema ${quoted(dataschema)} is no URI`))
  }
  // A leap second is RFC 3339 too.
  if (typeof time === 'string' && parseTimestamp(time.replace(/:60(?=[.Zz+-])/, ':59')) === undefined) {
    violations.push(must('time_format', `time ${quoted(time)} is not RFC 3339`))
  }
  if (datacontenttype !== undefined && !mediaType.test(datacontenttype)) {
    violations.push(
      must('datacontenttype_format', `datacontenttype ${quoted(datacontenttype)} is no media type`),
    )
  }
  return violations
}

function isUriReference(text: unknown): boolean {
  return typeof text === 'string' && uriReference.test(text) && !badPercent.test(text)
}

// https://www.w3.org/TR/trace-context-2/#traceparent-header
const traceparentFormat =
  /^(?!ff)[0-9a-f]{2}-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}(?:-.*)?$/
const traceparentCharsMax = 512
const tracestateMember = /^[a-z0-9][_0-9a-z\-*/@]{0,255}=[\u0020-\u002b\u002d-\u003c\u003e-\u007e]{0,256}$/

function checkExtension({ extensions }: CloudEvent): Violation[] {
  const traceparent = extensions?.['traceparent']
  const tracestate = extensions?.['tracestate']
  if (traceparent === undefined) {
    if (tracestate === undefined) return []
    return [must('traceparent_missing', 'tracestate without traceparent, which the extension requires')]
  }
  const violations: Violation[] = []
  if (typeof traceparent !== 'string') violations.push(must('traceparent_type', 'traceparent is not a text'))
  else if (traceparent === '') violations.push(must('traceparent_empty', 'traceparent is empty'))
  else if (!isTraceparent(traceparent)) {
    violations.push(
      must('traceparent_format', `traceparent ${quoted(traceparent)} is not that of W3C Trace Context`),
    )
  }
  if (tracestate === undefined) return violations
  if (typeof tracestate !== 'string') violations.push(must('tracestate_type', 'tracestate is not a text'))
  else if (!isTracestate(tracestate)) {
    violations.push(
      must('tracestate_format', `tracestate ${quoted(tracestate)} is not that of W3C Trace Context`),
    )
  }
  return violations
}

function isTraceparent(text: string): boolean {
  if (text.length > traceparentCharsMax || !traceparentFormat.test(text)) return false
  // Version 00 ends after the flags.
  return text.length === 55 || !text.startsWith('00')
}

function isTracestate(text: string): boolean {
  const members = text.split(',', 100).map((member) => member.trim())
  const named = members.filter((member) => member !== '')
  if (named.length > 32 || !named.every((member) => tracestateMember.test(member))) return false
  return new Set(named.map((member) => member.slice(0, member.indexOf('=')))).size === named.length
}

/** What a receiver knows of the way of an event. */
export interface Transmission {
  /** As it was received. */
  readonly event: CloudEvent
  /** Those it came with. */
  readonly headers: HeaderSource | undefined
  /** `one`: its source sent it directly to its sink. */
  readonly hops: 'one' | 'many'
  /** As its source sent it, where that is known. */
  readonly sent?: CloudEvent | undefined
}

/**
 * Everything about a transmission that is against the distributed-tracing extension: on a single hop the envelope carries
 * what the headers carry, over several it stays what it was at the start. Without the extension nothing is wrong.
 */
export function checkTransmission({ event, headers, hops, sent }: Transmission): Violation[] {
  const violations = checkExtension(event)
  const { traceparent, tracestate } = event.extensions ?? {}
  if (hops === 'one' && traceparent !== undefined) {
    const inHeader = headerValue(headers, 'traceparent')
    const stateInHeader = headerValue(headers, 'tracestate') ?? ''
    // Without a header there is nothing to be equal to.
    if (inHeader !== undefined && inHeader.trim() !== traceparent) {
      violations.push(
        must(
          'header_differs',
          `traceparent is ${quoted(traceparent)}, and ${quoted(inHeader)} in the header`,
        ),
      )
    } else if (inHeader !== undefined && members(stateInHeader) !== members(tracestate)) {
      violations.push(
        must(
          'header_differs',
          `tracestate is ${quoted(tracestate)}, and ${quoted(stateInHeader)} in the header`,
        ),
      )
    }
  }
  const start = sent?.extensions
  // A hop may add the extension where the source gave none.
  if (start?.['traceparent'] === undefined) return violations
  if (start['traceparent'] !== traceparent || members(start['tracestate']) !== members(tracestate)) {
    violations.push(
      must(
        'envelope_rewritten',
        `traceparent was ${quoted(start['traceparent'])} and became ${quoted(traceparent)}`,
      ),
    )
  }
  return violations
}

/** Lists that differ in white space are the same. */
function members(tracestate: unknown): string {
  return typeof tracestate === 'string' ? tracestate.replaceAll(/[ \t]*,[ \t]*/g, ',').trim() : ''
}

function must(code: ViolationCode, text: string): Violation {
  return { code, level: 'must', text }
}

function quoted(value: unknown): string {
  return JSON.stringify(typeof value === 'string' ? value.slice(0, 100) : (value ?? 'missing'))
}
