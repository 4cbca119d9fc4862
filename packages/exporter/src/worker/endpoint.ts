import type { SignalName } from '../messages.ts'
import { invalidOption } from './exporter-error.ts'

/**
 * The address for a signal under a base endpoint such as `OTEL_EXPORTER_OTLP_ENDPOINT`, which may have a path of its own:
 * for traces `http://collector/otlp` becomes `http://collector/otlp/v1/traces`.
 * https://opentelemetry.io/docs/specs/otel/protocol/exporter/#endpoint-urls-for-otlphttp
 */
export function signalUrlFromBase(base: string, signal: SignalName): string {
  const url = parseUrl(base, 'http://')
  url.pathname += `${url.pathname.endsWith('/') ? '' : '/'}v1/${signal}`
  return url.href
}

/** An endpoint without a path is a base; one with a path is the signal's address itself. */
export function httpEndpointUrl(endpoint: string, signal: SignalName): string {
  const url = parseUrl(endpoint, 'http://')
  return url.pathname === '/' ? signalUrlFromBase(url.href, signal) : url.href
}

/**
 * `host`, `host:port`, `http://…` and `https://…`; port 4317 unless given. Without a scheme the connection is plain,
 * unless `isTls`.
 */
export function grpcEndpointUrl(endpoint: string, { isTls }: { isTls: boolean }): string {
  const url = parseUrl(endpoint, isTls ? 'https://' : 'http://')
  if (url.pathname !== '/' || url.search !== '')
    throw invalidOption(
      `endpoint "${withoutCredentials(url)}": a gRPC endpoint has no path; write ${url.host}`,
    )
  // The URL parser hides a port that is the scheme's default, so that it must be looked for in the text.
  const hasPort = /:\d+\/?$/.test(endpoint)
  if (!hasPort) url.port = '4317'
  return url.href
}

/**
 * `unix:///run/collector.sock`, also with fewer slashes: the path of a unix socket; undefined for anything else. The
 * protocol on it is the same, without TLS.
 */
export function unixSocketPath(endpoint: string): string | undefined {
  const [, path] = /^\s*unix:(?:\/\/)?(.*?)\s*$/.exec(endpoint) ?? []
  if (path === undefined) return undefined
  if (!path.startsWith('/')) throw invalidOption(`endpoint "${endpoint}" must be unix:///absolute/path`)
  return path
}

/** How messages name the place to which requests go. */
export function endpointText(place: {
  readonly url: string
  readonly socketPath: string | undefined
}): string {
  return place.socketPath === undefined
    ? withoutCredentials(new URL(place.url))
    : `unix://${place.socketPath}`
}

/** For messages: an endpoint may carry a user and a password. */
export function withoutCredentials(url: URL): string {
  const shown = new URL(url)
  shown.username = ''
  shown.password = ''
  return shown.href
}

function parseUrl(endpoint: string, defaultScheme: string): URL {
  const text = endpoint.trim()
  const full = text.includes('://') ? text : defaultScheme + text
  const url = URL.canParse(full) ? new URL(full) : undefined
  if (text === '' || url === undefined || url.hostname === '' || !/^https?:$/.test(url.protocol))
    throw invalidOption(
      `endpoint "${endpoint}" must be host:port, http://host:port, https://host:port or unix:///path`,
    )
  return url
}
