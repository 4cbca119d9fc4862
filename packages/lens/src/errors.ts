/** What a {@link LensError} can mean. Match on this, never on the message. */
export type LensErrorCode =
  | 'invalid_option'
  | 'port_in_use'
  | 'listen_failed'
  | 'store_locked'
  | 'store_unreadable'
  | 'store_closed'
  | 'query_timeout'

/** Everything that Lens throws. `message` is for people and says what to do. */
export class LensError extends Error {
  override readonly name = 'LensError'
  readonly code: LensErrorCode

  constructor(code: LensErrorCode, message: string, options?: ErrorOptions) {
    super(message, options)
    this.code = code
  }
}
