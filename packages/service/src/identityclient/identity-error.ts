/** Match on this, never on the message. */
export type IdentityErrorCode =
  | 'inactive_token'
  | 'invalid_token'
  | 'identity_unavailable'
  | 'identity_not_configured'
  | 'identity_service_tokens_not_configured'
  | 'issue_service_token'
  | 'invalid_option'

/** What the identity client throws. No message or property of it holds a token or a key. */
export class IdentityError extends Error {
  override readonly name = 'IdentityError'
  readonly code: IdentityErrorCode

  constructor(code: IdentityErrorCode, message: string, options?: ErrorOptions) {
    super(message, options)
    this.code = code
  }
}
