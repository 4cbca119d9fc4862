export type LensErrorCode =
  | 'invalid-option'
  | 'port-in-use'
  | 'listen-failed'
  | 'store-locked'
  | 'store-unreadable'
  | 'store-closed'
  | 'query-timeout'

/** Everything that Lens throws. Match on `code`; `message` is for people and says what to do. */
export class LensError extends Error {
  override readonly name = 'LensError'
  readonly code: LensErrorCode

  constructor(code: LensErrorCode, message: string, options?: ErrorOptions) {
    super(message, options)
    this.code = code
  }
}
