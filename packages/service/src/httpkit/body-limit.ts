import type { IncomingMessage, ServerResponse } from 'node:http'
import { HttpError, sendError } from './http-error.ts'

/**
 * Answers 413 to a body beyond `bytesMax`, announced or not, and returns whether the request may go on. A body that turns
 * out too long on its way is cut: who reads it gets an error after the answer was written.
 */
export function limitBody(request: IncomingMessage, response: ServerResponse, bytesMax: number): boolean {
  if (bytesMax <= 0) return true
  const tooLarge = new HttpError('payload_too_large', `Request body must not exceed ${bytesMax} bytes`)
  if (Number(request.headers['content-length'] ?? 0) > bytesMax) {
    refuse(response, tooLarge)
    return false
  }
  if (request.headers['transfer-encoding'] === undefined) return true
  let sizeBytes = 0
  const push = request.push.bind(request)
  // What the parser calls for each piece of the body; `data` would set the stream flowing before anybody listens.
  request.push = (piece: Buffer | null, encoding?: BufferEncoding): boolean => {
    if (piece === null) return push(piece, encoding)
    sizeBytes += piece.length
    if (sizeBytes <= bytesMax) return push(piece, encoding)
    if (sizeBytes - piece.length <= bytesMax) {
      response.once('close', () => request.destroy(tooLarge))
      refuse(response, tooLarge)
    }
    return true
  }
  return true
}

/** The rest of the body is not read, so the connection cannot be used again. */
function refuse(response: ServerResponse, error: HttpError): void {
  if (!response.headersSent) response.setHeader('connection', 'close')
  sendError(response, error)
  if (!response.writableEnded) response.destroy()
}
