/** Match on this, never on the message. */
export type MtlsErrorCode = 'invalid_option' | 'unreadable_file' | 'unusable_certificate'

/** Certificates that cannot be used. The message names the files; nothing of their content is in it. */
export class MtlsError extends Error {
  override readonly name = 'MtlsError'
  readonly code: MtlsErrorCode

  constructor(code: MtlsErrorCode, message: string, options?: ErrorOptions) {
    super(message, options)
    this.code = code
  }
}
