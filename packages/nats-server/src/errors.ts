/** Why the server could not be found, fetched or run. Stable: match on it. */
export type NatsServerErrorCode =
  | 'not_found'
  | 'fetch_failed'
  | 'invalid_option'
  | 'start_failed'
  | 'unreachable'
  | 'external'

/** The one error class of this package. */
export class NatsServerError extends Error {
  override readonly name = 'NatsServerError'
  readonly code: NatsServerErrorCode

  constructor(code: NatsServerErrorCode, message: string, options?: ErrorOptions) {
    super(message, options)
    this.code = code
  }
}
