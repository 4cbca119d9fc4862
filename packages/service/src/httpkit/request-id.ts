import { randomBytes } from 'node:crypto'
import type { IncomingMessage, ServerResponse } from 'node:http'

const requestIds = new WeakMap<IncomingMessage, string>()

/** The request's id, once it passed the chain; empty before. */
export function requestIdOf(request: IncomingMessage): string {
  return requestIds.get(request) ?? ''
}

/** Takes `X-Request-Id` if one of a sane shape was sent, else makes one (UUID version 7), and sends it back. */
export function identifyRequest(request: IncomingMessage, response: ServerResponse): void {
  const sent = request.headers['x-request-id']
  // It goes into logs and to other services: nothing long, nothing that is no plain text.
  const id = typeof sent === 'string' && /^[\w.:+/=-]{1,128}$/.test(sent) ? sent : uuidV7(Date.now())
  requestIds.set(request, id)
  response.setHeader('X-Request-Id', id)
}

/** https://www.rfc-editor.org/rfc/rfc9562#name-uuid-version-7: 48 bits of milliseconds, then random ones. */
export function uuidV7(unixMs: number): string {
  const bytes = randomBytes(16)
  bytes.writeUIntBE(unixMs, 0, 6)
  bytes.writeUInt8((bytes.readUInt8(6) & 0x0f) | 0x70, 6)
  bytes.writeUInt8((bytes.readUInt8(8) & 0x3f) | 0x80, 8)
  return bytes.toString('hex').replace(/^(.{8})(.{4})(.{4})(.{4})/, '$1-$2-$3-$4-')
}
