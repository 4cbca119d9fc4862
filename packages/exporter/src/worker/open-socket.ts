import { connect as connectTcp, isIP, type Socket } from 'node:net'
import { connect as connectTls, type SecureContext } from 'node:tls'

export interface Destination {
  /** Where to connect; `https:` means TLS. */
  readonly url: URL
  /** A unix socket to connect to instead of the URL's host. */
  readonly socketPath: string | undefined
  /** What the TLS handshake offers: `h2` for gRPC, `http/1.1` for HTTP. */
  readonly applicationProtocol: 'h2' | 'http/1.1'
}

/** A connection that is being made; its failure is the socket's `error` event. */
export function openSocket(destination: Destination, secureContext: SecureContext | undefined): Socket {
  const { url, socketPath, applicationProtocol } = destination
  if (socketPath !== undefined) return connectTcp({ path: socketPath })
  const host = url.hostname.replace(/^\[|\]$/g, '')
  if (url.protocol === 'http:') return connectTcp({ host, port: Number(url.port || 80), noDelay: true })
  return connectTls({
    host,
    port: Number(url.port || 443),
    ...(secureContext !== undefined && { secureContext }),
    // A server name must not be an address: https://www.rfc-editor.org/rfc/rfc6066#section-3
    ...(isIP(host) === 0 && { servername: host }),
    ALPNProtocols: [applicationProtocol],
  })
}
