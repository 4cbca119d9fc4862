import type { Attributes } from '@opentelemetry/api'

// Stable names: https://opentelemetry.io/docs/specs/semconv/http/http-spans/ (1.29 and later)
export const httpRequestMethod = 'http.request.method'
export const httpRequestMethodOriginal = 'http.request.method_original'
export const httpRequestResendCount = 'http.request.resend_count'
export const httpResponseStatusCode = 'http.response.status_code'
export const httpRoute = 'http.route'
export const errorType = 'error.type'
const urlPath = 'url.path'
const urlQuery = 'url.query'
const urlScheme = 'url.scheme'
const urlFull = 'url.full'
const serverAddress = 'server.address'
const serverPort = 'server.port'
const clientAddress = 'client.address'
const userAgentOriginal = 'user_agent.original'
export const networkPeerAddress = 'network.peer.address'
export const networkPeerPort = 'network.peer.port'
export const networkProtocolVersion = 'network.protocol.version'

// Names before them (1.20): what OTEL_SEMCONV_STABILITY_OPT_IN leaves out.
export const oldStatusCode = 'http.status_code'
export const oldFlavor = 'http.flavor'
export const oldPeerAddress = 'net.sock.peer.addr'
export const oldPeerPort = 'net.sock.peer.port'
const oldMethod = 'http.method'
const oldUrl = 'http.url'
const oldTarget = 'http.target'
const oldScheme = 'http.scheme'
const oldHostName = 'net.host.name'
const oldHostPort = 'net.host.port'
const oldPeerName = 'net.peer.name'
const oldPeerNamePort = 'net.peer.port'
const oldClientIp = 'http.client_ip'
const oldUserAgent = 'http.user_agent'

/** Which generations of names to write. */
export interface Generations {
  readonly stable: boolean
  readonly old: boolean
}

const knownMethods: ReadonlySet<string> = new Set([
  'GET',
  'POST',
  'PUT',
  'DELETE',
  'HEAD',
  'OPTIONS',
  'PATCH',
  'CONNECT',
  'TRACE',
  'QUERY',
])

/** `_OTHER` for what the conventions do not know, so that names and metrics stay bounded. */
export function methodAttribute(method: string): string {
  return knownMethods.has(method) ? method : '_OTHER'
}

/** A span's name has the word HTTP in the place of an unknown method. */
export function methodInName(method: string): string {
  return knownMethods.has(method) ? method : 'HTTP'
}

/** What all requests of one connection usually share. */
export interface ConnectionFacts {
  readonly scheme: string
  /** Empty: unknown. */
  readonly host: string
  readonly port: number
  /** Empty: unknown. */
  readonly peerAddress: string
  /** 0: unknown. */
  readonly peerPort: number
  readonly httpVersion: string
  readonly clientAddress: string
  readonly userAgent: string
}

/** key, value, key, value; facts that are unknown are left out. */
export function connectionEntries(facts: ConnectionFacts, names: Generations): (string | number)[] {
  const entries: (string | number)[] = []
  const add = (stableName: string, oldName: string, value: string | number): void => {
    if (value === '' || value === 0) return
    if (names.stable) entries.push(stableName, value)
    if (names.old) entries.push(oldName, value)
  }
  add(urlScheme, oldScheme, facts.scheme)
  add(serverAddress, oldHostName, facts.host)
  add(serverPort, oldHostPort, facts.host === '' ? 0 : facts.port)
  add(networkPeerAddress, oldPeerAddress, facts.peerAddress)
  add(networkPeerPort, oldPeerPort, facts.peerPort)
  add(networkProtocolVersion, oldFlavor, facts.httpVersion === '2.0' ? '2' : facts.httpVersion)
  add(clientAddress, oldClientIp, facts.clientAddress)
  add(userAgentOriginal, oldUserAgent, facts.userAgent)
  return entries
}

export interface RequestFacts {
  readonly method: string
  readonly path: string
  /** Without `?`, secrets redacted; empty: none. */
  readonly query: string
}

/**
 * key, value, key, value: what differs from request to request. `connection` is needed for the old `http.url` alone.
 */
export function requestEntries(
  facts: RequestFacts,
  connection: ConnectionFacts,
  names: Generations,
): (string | number)[] {
  const method = methodAttribute(facts.method)
  const entries: (string | number)[] = names.stable ? [httpRequestMethod, method, urlPath, facts.path] : []
  if (names.stable) {
    if (method !== facts.method) entries.push(httpRequestMethodOriginal, facts.method)
    if (facts.query !== '') entries.push(urlQuery, facts.query)
  }
  if (names.old) {
    const target = facts.query === '' ? facts.path : `${facts.path}?${facts.query}`
    entries.push(oldMethod, facts.method, oldTarget, target)
    const { scheme, host, port } = connection
    if (host !== '') entries.push(oldUrl, `${scheme}://${authority({ scheme, host, port })}${target}`)
  }
  return entries
}

export interface CallFacts {
  readonly method: string
  readonly host: string
  readonly port: number
  /** Redacted. */
  readonly url: string
}

export function clientAttributes(facts: CallFacts, names: Generations): Attributes {
  const attributes: Attributes = {}
  if (names.stable) {
    const method = methodAttribute(facts.method)
    attributes[httpRequestMethod] = method
    if (method !== facts.method) attributes[httpRequestMethodOriginal] = facts.method
    attributes[urlFull] = facts.url
    attributes[serverAddress] = facts.host
    if (facts.port > 0) attributes[serverPort] = facts.port
  }
  if (names.old) {
    attributes[oldMethod] = facts.method
    attributes[oldUrl] = facts.url
    attributes[oldPeerName] = facts.host
    if (facts.port > 0) attributes[oldPeerNamePort] = facts.port
  }
  return attributes
}

/** `host` or `host:port`, brackets around IPv6, the scheme's own port left out. */
export function authority(parts: {
  readonly scheme: string
  readonly host: string
  readonly port: number
}): string {
  const host = parts.host.includes(':') ? `[${parts.host}]` : parts.host
  const own = parts.scheme === 'https' ? 443 : 80
  return parts.port === own || parts.port === 0 ? host : `${host}:${parts.port}`
}

/** Flat entries as the object that OpenTelemetry's options want. */
export function entriesToAttributes(entries: readonly (string | number)[]): Attributes {
  const attributes: Attributes = {}
  for (let i = 0; i + 1 < entries.length; i += 2) {
    const value = entries[i + 1]
    if (value !== undefined) attributes[String(entries[i])] = value
  }
  return attributes
}
