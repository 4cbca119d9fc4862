import type { IncomingMessage, RequestListener, ServerResponse } from 'node:http'
import { createServer, type Server } from 'node:https'
import type { PeerCertificate, TLSSocket } from 'node:tls'
import type { HttpHandler } from '@throughline/http'
import { sendJson } from '../httpkit/http-error.ts'
import { MtlsError } from './mtls-error.ts'
import { type TlsFiles, type TlsReloading, WatchedTlsFiles } from './tls-material.ts'

export interface MtlsServer {
  /** Not listening yet. */
  readonly server: Server
  /** Looks at the files now instead of at the next interval. Resolves with whether there was something new. */
  reload(): Promise<boolean>
}

/**
 * An HTTPS server that asks for a client certificate and verifies the one that it gets; `requireClientCertificate` guards
 * what nobody may do without. Its files are read again when they change, for new connections. TLS 1.3 only. Throws an
 * MtlsError.
 */
export function createMtlsServer(
  files: TlsFiles,
  handler: RequestListener,
  options: TlsReloading = {},
): MtlsServer {
  if (files.cert === undefined) throw new MtlsError('invalid_option', 'a server needs cert and key')
  const watched = new WatchedTlsFiles(files, options)
  const settings = { requestCert: true, rejectUnauthorized: false, minVersion: 'TLSv1.3' } as const
  const server = createServer({ ...watched.current, ...settings }, handler)
  watched.onChange((material) => server.setSecureContext({ ...material, ...settings }))
  server.on('close', () => watched.close())
  return { server, reload: () => watched.check() }
}

/**
 * Lets only those in who show a verified certificate, and one of the `allowed` identities where there are any: the common
 * name, or a DNS, URI or e-mail name of the certificate. All others get 401.
 */
export function requireClientCertificate(
  handler: HttpHandler,
  { allowed = [] }: { readonly allowed?: readonly string[] } = {},
): HttpHandler {
  return (request: IncomingMessage, response: ServerResponse) => {
    const { socket } = request
    if (!('getPeerCertificate' in socket) || !(socket as TLSSocket).authorized) {
      sendJson(response, 401, { error: 'client_certificate_required' })
      return undefined
    }
    const identities = identitiesOf((socket as TLSSocket).getPeerCertificate())
    if (allowed.length > 0 && !identities.some((identity) => allowed.includes(identity))) {
      sendJson(response, 401, { error: 'client_certificate_identity_not_allowed' })
      return undefined
    }
    return handler(request, response)
  }
}

function identitiesOf({ subject, subjectaltname = '' }: PeerCertificate): readonly string[] {
  // "DNS:a, URI:b": names with a comma in them are quoted, and are none that somebody would allow.
  const names = subjectaltname
    .split(', ')
    .flatMap((name) => /^(?:DNS|URI|email):([^"]+)$/.exec(name)?.[1] ?? [])
  const { CN: commonName } = subject
  return commonName === undefined ? names : [...[commonName].flat(), ...names]
}
