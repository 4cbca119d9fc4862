/** Why the server could not be found, fetched or run. Stable: match on it. */
export type NatsServerErrorCode =
  | 'not-found'
  | 'fetch-failed'
  | 'bad-option'
  | 'start-failed'
  | 'unreachable'
  | 'external'

/** The one error class of this package. */
export class NatsServerError extends Error {
  readonly code: NatsServerErrorCode
  constructor(code: NatsServerErrorCode, message: string, options?: ErrorOptions) {
    super(message, options)
    this.name = 'NatsServerError'
    this.code = code
  }
}
