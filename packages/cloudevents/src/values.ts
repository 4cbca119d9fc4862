/** CloudEvents' Integer has 32 bits. */
export const minInteger = -2_147_483_648
export const maxInteger = 2_147_483_647

/** Control characters, and halves of surrogate pairs. */
const forbidden = /[\p{Cc}\p{Cs}]/u

/** True for what CloudEvents calls a String, noncharacters aside, which every transport takes. */
export function isPlainUtf16(text: string): boolean {
  return !forbidden.test(text)
}

const utf8 = new TextDecoder('utf-8', { fatal: true })

/** The text, or undefined where the bytes are not UTF-8. A byte order mark is not part of it. */
export function decodeUtf8(bytes: Uint8Array): string | undefined {
  try {
    return utf8.decode(bytes)
  } catch {
    return undefined
  }
}

const base64 = /^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/

/** The bytes, or undefined where the text is not padded base64 (RFC 4648, section 4). */
export function decodeBase64(text: string): Uint8Array | undefined {
  if (!base64.test(text)) return undefined
  return new Uint8Array(Buffer.from(text, 'base64'))
}

export function encodeBase64(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('base64')
}

/** Seconds and nanoseconds since 1970. */
export interface Timestamp {
  readonly seconds: number
  readonly nanos: number
}

const rfc3339 = /^(\d{4}-\d\d-\d\d)[Tt](\d\d:\d\d:\d\d)(?:\.(\d{1,9})\d*)?([Zz]|[+-]\d\d:\d\d)$/

/** Undefined for what is not RFC 3339, or has a leap second, which no protobuf timestamp can hold. */
export function parseTimestamp(text: string): Timestamp | undefined {
  const match = text.length <= 100 ? rfc3339.exec(text) : null
  if (match === null) return undefined
  const [, date = '', time = '', fraction = '', zone = ''] = match
  const ms = Date.parse(`${date}T${time}${zone.toUpperCase()}`)
  // Date.parse turns February 30 into March 2.
  if (Number.isNaN(ms) || !new Date(Date.parse(`${date}T00:00:00Z`)).toISOString().startsWith(date))
    return undefined
  return { seconds: ms / 1000, nanos: Number(fraction.padEnd(9, '0')) }
}

/** Undefined beyond the years 1 to 9999. */
export function formatTimestamp({ seconds, nanos }: Timestamp): string | undefined {
  if (!(seconds >= -62_135_596_800 && seconds <= 253_402_300_799)) return undefined
  if (!(nanos >= 0 && nanos <= 999_999_999)) return undefined
  const whole = new Date(seconds * 1000).toISOString().slice(0, 19)
  if (nanos === 0) return `${whole}Z`
  const digits = String(nanos)
    .padStart(9, '0')
    .replace(/(?:000){1,2}$/, '')
  return `${whole}.${digits}Z`
}
