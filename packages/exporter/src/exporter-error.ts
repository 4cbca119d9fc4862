/** The one error that this package throws, and only at set-up. */
export class ExporterError extends Error {
  readonly code: 'invalid_option'

  constructor(message: string) {
    super(message)
    this.name = 'ExporterError'
    this.code = 'invalid_option'
  }
}
