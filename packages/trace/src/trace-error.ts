/** What a {@link TraceError} can mean. Tests and callers match on this, never on the message. */
export type TraceErrorCode = 'invalid_option'

/**
 * The one error class this package throws, and only while something is being set up: a wrong option is the programmer's
 * to see at once. After set-up nothing is thrown into the host.
 */
export class TraceError extends Error {
  override readonly name = 'TraceError'
  readonly code: TraceErrorCode

  constructor(code: TraceErrorCode, message: string, options?: ErrorOptions) {
    super(message, options)
    this.code = code
  }
}

/** A wrong set-up option: names the option, the value that came and what is allowed. */
export function invalidOption(option: string, value: unknown, allowed: string): TraceError {
  return new TraceError('invalid_option', `${option}: got ${describe(value)}; allowed: ${allowed}`)
}

function describe(value: unknown): string {
  return typeof value === 'string' ? JSON.stringify(value) : String(value)
}
