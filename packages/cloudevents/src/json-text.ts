import { CloudEventError, type Fault, fault, type ReadLimits, sizeBytesMaxDefault } from './event.ts'
import { decodeUtf8 } from './values.ts'

export type Json =
  | { readonly value: unknown; readonly error?: undefined }
  | { readonly value?: undefined; readonly error: Fault }

const depthMaxDefault = 64

/** JSON within the limits; depth is counted before anything is built. */
export function parseJson(bytes: Uint8Array, limits: ReadLimits): Json {
  if (bytes.length > (limits.sizeBytesMax ?? sizeBytesMaxDefault))
    return fault('too_large', 'the JSON is too large')
  const depthMax = limits.depthMax ?? depthMaxDefault
  if (isDeeper(bytes, depthMax)) return fault('too_deep', `the JSON is nested deeper than ${depthMax}`)
  const text = decodeUtf8(bytes)
  if (text === undefined) return fault('not_json', 'the JSON is not UTF-8')
  try {
    return { value: JSON.parse(text) as unknown }
  } catch {
    return fault('not_json', 'it is not JSON')
  }
}

/** Throws a CloudEventError for what JSON cannot say. */
export function formatJson(value: unknown): Uint8Array {
  let text: string | undefined
  try {
    text = JSON.stringify(value) as string | undefined
  } catch {
    // Circular, a bigint, too deep, or a toJSON() that throws.
  }
  if (text !== undefined) return new TextEncoder().encode(text)
  throw new CloudEventError({ code: 'invalid_data', text: 'the data is no JSON value' })
}

const quote = 0x22
const backslash = 0x5c

function isDeeper(bytes: Uint8Array, depthMax: number): boolean {
  let depth = 0
  let inText = false
  for (let i = 0; i < bytes.length; i++) {
    const byte = bytes[i]
    if (inText) {
      if (byte === backslash) i++
      else if (byte === quote) inText = false
    } else if (byte === quote) inText = true
    // In ASCII both kinds of bracket differ from each other in one bit: [ ] and { }.
    else if (byte === 0x5b || byte === 0x7b) {
      if (++depth > depthMax) return true
    } else if (byte === 0x5d || byte === 0x7d) depth--
  }
  return false
}
