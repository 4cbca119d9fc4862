/** What an {@link OtlpError} can mean. Match on this, never on the message. */
export type OtlpErrorCode = 'invalid_option'

/** The one error that this package throws, and only at set-up. What comes from outside and is wrong is a value. */
export class OtlpError extends Error {
  override readonly name = 'OtlpError'
  readonly code: OtlpErrorCode

  constructor(code: OtlpErrorCode, message: string, options?: ErrorOptions) {
    super(message, options)
    this.code = code
  }
}
