/**
 * Parameters that carry a secret by their name: the ones the semantic conventions name (signed URLs of AWS, Azure and
 * Google), and the common names of tokens and passwords. Lower case.
 * https://opentelemetry.io/docs/specs/semconv/registry/attributes/url/#url-query
 */
const secretQueryKeys: readonly string[] = [
  'awsaccesskeyid',
  'signature',
  'sig',
  'x-goog-signature',
  'x-amz-signature',
  'x-amz-security-token',
  'x-amz-credential',
  'token',
  'access_token',
  'id_token',
  'refresh_token',
  'auth',
  'api_key',
  'apikey',
  'api-key',
  'key',
  'secret',
  'client_secret',
  'password',
  'passwd',
  'pwd',
  'code',
  'jwt',
]

const redactedValue = 'REDACTED'

/** The names of parameters to redact, lower case. */
export function redactedKeys(more: readonly string[] = []): ReadonlySet<string> {
  return new Set([...secretQueryKeys, ...more.map((key) => key.toLowerCase())])
}

/** The query (without `?`) with the values of secret parameters replaced; the same string when there is none. */
export function redactQuery(query: string, keys: ReadonlySet<string>): string {
  let result = ''
  let copied = 0
  let start = 0
  while (start < query.length) {
    let end = query.indexOf('&', start)
    if (end < 0) end = query.length
    const equals = query.indexOf('=', start)
    if (equals >= 0 && equals < end && keys.has(parameterName(query, start, equals))) {
      result += query.slice(copied, equals + 1) + redactedValue
      copied = end
    }
    start = end + 1
  }
  return copied === 0 ? query : result + query.slice(copied)
}

function parameterName(query: string, start: number, end: number): string {
  const raw = query.slice(start, end).toLowerCase()
  if (!raw.includes('%')) return raw
  try {
    return decodeURIComponent(raw).toLowerCase()
  } catch {
    return raw
  }
}

/** `path` (as in a request line: path and query) with the query's secrets and any fragment removed. */
export function redactPath(path: string, keys: ReadonlySet<string>): string {
  const mark = path.indexOf('?')
  return mark < 0 ? path : path.slice(0, mark + 1) + redactQuery(path.slice(mark + 1), keys)
}

/** The URL with secrets of the query redacted, and user name and password replaced. */
export function redactUrl(url: string, keys: ReadonlySet<string>): string {
  const authority = url.indexOf('//') + 2
  let authorityEnd = authority
  while (authorityEnd < url.length && !isAuthorityEnd(url.charCodeAt(authorityEnd))) authorityEnd++
  const at = url.lastIndexOf('@', authorityEnd - 1)
  const safe =
    authority >= 2 && at >= authority
      ? `${url.slice(0, authority)}${redactedValue}:${redactedValue}${url.slice(at)}`
      : url
  return redactPath(safe, keys)
}

function isAuthorityEnd(code: number): boolean {
  return code === 0x2f || code === 0x3f || code === 0x23
}

export interface HostAndPort {
  readonly host: string
  /** undefined when the text has none. */
  readonly port: number | undefined
}

/** Splits a Host header: `a`, `a:80`, `[::1]`, `[::1]:80`. Brackets are removed. A bad port is no port. */
export function splitHost(text: string): HostAndPort {
  const colon = text.lastIndexOf(':')
  const bracket = text.lastIndexOf(']')
  if (colon <= bracket || colon < 0) return { host: withoutBrackets(text), port: undefined }
  const port = Number(text.slice(colon + 1))
  return {
    host: withoutBrackets(text.slice(0, colon)),
    port: Number.isInteger(port) && port > 0 && port < 65536 ? port : undefined,
  }
}

function withoutBrackets(host: string): string {
  return host.startsWith('[') && host.endsWith(']') ? host.slice(1, -1) : host
}
