import type { TraceState } from '@opentelemetry/api'

/** https://www.w3.org/TR/trace-context-2/#tracestate-header-field-values */
export const traceStateMembersMax = 32
const keyCharsMax = 256
const valueCharsMax = 256
/** Longer input is not read at all: 32 members of the longest key and value, each with a comma and a little space. */
const inputCharsMax = 32 * (keyCharsMax + valueCharsMax + 8)
/**
 * What is passed on at most. The specification asks for 512 at least; every outgoing request and every exported span
 * carries this text, so the limit is not the 16 KiB that the grammar would allow.
 */
export const traceStateCharsMax = 1024
/** Members longer than this go first when the text is over its limit. https://www.w3.org/TR/trace-context-2/#tracestate-limits */
const largeMemberChars = 128

interface Member {
  readonly key: string
  readonly value: string
}

/**
 * A tracestate by the rules of W3C Trace Context level 2. Immutable: `set` and `unset` return a new list. A key or value
 * outside the grammar leaves the list as it is.
 */
class W3cTraceState implements TraceState {
  readonly #members: readonly Member[]

  constructor(members: readonly Member[]) {
    this.#members = members
  }

  set(key: string, value: string): TraceState {
    if (!isKey(key, 0, key.length) || !isValue(value, 0, value.length)) return this
    const others = this.#members.filter((member) => member.key !== key)
    return new W3cTraceState([{ key, value }, ...others].slice(0, traceStateMembersMax))
  }

  unset(key: string): TraceState {
    return new W3cTraceState(this.#members.filter((member) => member.key !== key))
  }

  get(key: string): string | undefined {
    return this.#members.find((member) => member.key === key)?.value
  }

  serialize(): string {
    return joinWithin(this.#members)
  }
}

/** The list of a tracestate text; undefined when it is empty or breaks a rule (then all of it is discarded). */
export function parseTraceState(text: string): TraceState | undefined {
  const members = parseMembers(text)
  return members === undefined || members.length === 0 ? undefined : new W3cTraceState(members)
}

/** An empty list, to `set` members on. */
export function emptyTraceState(): TraceState {
  return new W3cTraceState([])
}

/**
 * The text to pass on for a text that came in: without empty members, later duplicates and optional whitespace, cut to
 * {@link traceStateCharsMax} by whole members. Empty when the input is empty or invalid.
 */
export function normalizeTraceState(text: string): string {
  const members = parseMembers(text)
  return members === undefined ? '' : joinWithin(members)
}

function parseMembers(text: string): Member[] | undefined {
  if (text.length > inputCharsMax) return undefined
  const members: Member[] = []
  let start = 0
  while (start <= text.length) {
    let comma = text.indexOf(',', start)
    if (comma === -1) comma = text.length
    const member = parseMember(text, start, comma)
    if (member === undefined) return undefined
    if (member !== emptyMember) {
      // Of two members with one key the left is the later one: it stays.
      if (!members.some((known) => known.key === member.key)) members.push(member)
      if (members.length > traceStateMembersMax) return undefined
    }
    start = comma + 1
  }
  return members
}

const emptyMember: Member = { key: '', value: '' }

function parseMember(text: string, from: number, to: number): Member | undefined {
  let start = from
  let end = to
  while (start < end && isOptionalSpace(text.charCodeAt(start))) start += 1
  while (end > start && isOptionalSpace(text.charCodeAt(end - 1))) end -= 1
  if (start === end) return emptyMember
  const equals = text.indexOf('=', start)
  if (equals === -1 || equals >= end) return undefined
  if (!isKey(text, start, equals) || !isValue(text, equals + 1, end)) return undefined
  return { key: text.slice(start, equals), value: text.slice(equals + 1, end) }
}

function isKey(text: string, start: number, end: number): boolean {
  if (end <= start || end - start > keyCharsMax || !isLowerAlphanumeric(text.charCodeAt(start))) return false
  for (let index = start + 1; index < end; index += 1) {
    if (!isKeyChar(text.charCodeAt(index))) return false
  }
  return true
}

function isValue(text: string, start: number, end: number): boolean {
  if (end <= start || end - start > valueCharsMax || text.charCodeAt(end - 1) === 0x20) return false
  for (let index = start; index < end; index += 1) {
    const code = text.charCodeAt(index)
    if (code < 0x20 || code > 0x7e || code === 0x2c || code === 0x3d) return false
  }
  return true
}

function isOptionalSpace(code: number): boolean {
  return code === 0x20 || code === 0x09
}

function isLowerAlphanumeric(code: number): boolean {
  return (code >= 0x61 && code <= 0x7a) || (code >= 0x30 && code <= 0x39)
}

/** Besides letters and digits: `_`, `-`, `*`, `/` and `@`. */
function isKeyChar(code: number): boolean {
  return (
    isLowerAlphanumeric(code) ||
    code === 0x5f ||
    code === 0x2d ||
    code === 0x2a ||
    code === 0x2f ||
    code === 0x40
  )
}

function joinWithin(members: readonly Member[]): string {
  let texts = members.map((member) => `${member.key}=${member.value}`)
  let length = lengthOf(texts)
  for (let index = texts.length - 1; index >= 0 && length > traceStateCharsMax; index -= 1) {
    if ((texts[index] as string).length <= largeMemberChars) continue
    texts = texts.toSpliced(index, 1)
    length = lengthOf(texts)
  }
  while (length > traceStateCharsMax) {
    texts = texts.slice(0, -1)
    length = lengthOf(texts)
  }
  return texts.join(',')
}

function lengthOf(texts: readonly string[]): number {
  return texts.reduce((sum, text) => sum + text.length + 1, -1)
}
