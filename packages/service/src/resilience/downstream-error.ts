/** Match on this, never on the message. */
export type DownstreamErrorCode = 'circuit_open' | 'invalid_option'

/** A call that was not made. */
export class DownstreamError extends Error {
  override readonly name = 'DownstreamError'
  readonly code: DownstreamErrorCode

  constructor(code: DownstreamErrorCode, message: string, options?: ErrorOptions) {
    super(message, options)
    this.code = code
  }
}
