import type { AttributeValue } from './event.ts'
import { decodeUtf8, encodeBase64 } from './values.ts'

/**
 * Headers as they are found: those of the NATS client, of fetch, of node:http (`request.headers`), a Map, an object. Names
 * are read in any case.
 */
export type HeaderSource =
  | Iterable<readonly [string, string | readonly string[]]>
  | Readonly<Record<string, string | readonly string[] | undefined>>

/** Every name and value; several values of one name come one after the other. */
export function* headerEntries(source: HeaderSource | undefined): Generator<readonly [string, string]> {
  if (source === undefined) return
  const entries: Iterable<unknown> =
    Symbol.iterator in source ? (source as Iterable<unknown>) : Object.entries(source)
  for (const entry of entries) {
    if (!Array.isArray(entry)) continue
    const [name, value] = entry as unknown[]
    if (typeof name !== 'string') continue
    if (typeof value === 'string') yield [name, value]
    else if (Array.isArray(value)) {
      for (const one of value as unknown[]) if (typeof one === 'string') yield [name, one]
    }
  }
}

/** The values of one name, joined as lists are; the same value twice is said once. Undefined: none. */
export function headerValue(source: HeaderSource | undefined, lowerCaseName: string): string | undefined {
  let found: string | undefined
  for (const [name, value] of headerEntries(source)) {
    if (name.length !== lowerCaseName.length || name.toLowerCase() !== lowerCaseName) continue
    if (found === undefined) found = value
    else if (found !== value) found = `${found},${value}`
  }
  return found
}

/** A value as a header may carry it: printable ASCII, all else percent-encoded. */
export function encodeHeaderValue(value: AttributeValue): string {
  if (value instanceof Uint8Array) return encodeBase64(value)
  return String(value).replaceAll(/[^\u0021-\u007e]+|["%]/gu, percentEncoded)
}

function percentEncoded(text: string): string {
  let encoded = ''
  for (const byte of Buffer.from(text)) encoded += `%${byte.toString(16).toUpperCase().padStart(2, '0')}`
  return encoded
}

/**
 * Takes the quotes and one round of percent-encoding away. Undefined where the encoded bytes are not UTF-8. A percent sign
 * without two hexadecimal digits stands for itself: senders that do not encode exist.
 */
export function decodeHeaderValue(text: string): string | undefined {
  const trimmed = text.trim()
  const quoted = trimmed.length >= 2 && trimmed.startsWith('"') && trimmed.endsWith('"')
  const unquoted = quoted ? trimmed.slice(1, -1).replaceAll(/\\(.)/g, '$1') : trimmed
  if (!unquoted.includes('%')) return unquoted
  let isUtf8 = true
  const decoded = unquoted.replaceAll(/(?:%[0-9a-fA-F]{2})+/g, (encoded) => {
    const part = decodeUtf8(Buffer.from(encoded.replaceAll('%', ''), 'hex'))
    if (part === undefined) isUtf8 = false
    return part ?? ''
  })
  return isUtf8 ? decoded : undefined
}
