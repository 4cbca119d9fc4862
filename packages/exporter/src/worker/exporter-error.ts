/** What an {@link ExporterError} can mean. Match on this, never on the message. */
export type ExporterErrorCode = 'invalid_option'

/** The one error that this package throws, and only at set-up. */
export class ExporterError extends Error {
  override readonly name = 'ExporterError'
  readonly code: ExporterErrorCode

  constructor(code: ExporterErrorCode, message: string, options?: ErrorOptions) {
    super(message, options)
    this.code = code
  }
}

/** A wrong set-up option. The message names the option, the value that came and what is allowed. */
export function invalidOption(message: string): ExporterError {
  return new ExporterError('invalid_option', message)
}
