import type { TextMapGetter, TextMapSetter } from '@opentelemetry/api'

/** Node's `rawHeaders`: name, value, name, value. */
export type RawHeaders = readonly string[]

/**
 * Reads a header of a raw list without building `request.headers`. Lengths select the candidates, so most names are
 * refused by one comparison. Repeated headers are joined by a comma, as RFC 9110 5.3 allows for lists; a repeated
 * traceparent thereby becomes invalid, as https://www.w3.org/TR/trace-context-2/#traceparent-header asks for.
 */
export function rawHeader(headers: RawHeaders, lowerCaseName: string): string | undefined {
  let found: string | undefined
  for (let i = 0; i + 1 < headers.length; i += 2) {
    const name = headers[i]
    if (name === undefined || name.length !== lowerCaseName.length) continue
    if (name !== lowerCaseName && name.toLowerCase() !== lowerCaseName) continue
    const value = headers[i + 1]
    found = found === undefined ? value : `${found},${value}`
  }
  return found
}

/** What every server span reads of the headers. */
export interface ScannedHeaders {
  host: string
  userAgent: string
  hasBody: boolean
}

/** Reused: a scan is read before the next one starts, since nothing waits in between. */
const scanned: ScannedHeaders = { host: '', userAgent: '', hasBody: false }

/** One pass for all of them. The answer is valid until the next call. */
export function scanHeaders(headers: RawHeaders): Readonly<ScannedHeaders> {
  scanned.host = ''
  scanned.userAgent = ''
  scanned.hasBody = false
  for (let i = 0; i + 1 < headers.length; i += 2) {
    const name = headers[i] ?? ''
    switch (name.length) {
      case 4:
        if (is(name, 'host')) scanned.host = headers[i + 1] ?? ''
        break
      case 10:
        if (is(name, 'user-agent')) scanned.userAgent = headers[i + 1] ?? ''
        // What HTTP/2 has in the place of Host.
        else if (name === ':authority') scanned.host = headers[i + 1] ?? ''
        break
      case 14:
        if (is(name, 'content-length')) scanned.hasBody = true
        break
      case 17:
        if (is(name, 'transfer-encoding')) scanned.hasBody = true
        break
      default:
    }
  }
  return scanned
}

function is(name: string, lowerCaseName: string): boolean {
  return name === lowerCaseName || name.toLowerCase() === lowerCaseName
}

export const rawHeadersGetter: TextMapGetter<RawHeaders> = {
  get: (headers, key) => rawHeader(headers, key.toLowerCase()),
  keys: (headers) => headers.filter((_, index) => index % 2 === 0),
}

export const fetchHeadersSetter: TextMapSetter<Headers> = {
  set: (carrier, key, value) => {
    carrier.set(key, value)
  },
}
