/** Where the value stood that a {@link TracingConfigError} is about. Match on this, never on the message. */
export type TracingConfigErrorCode = 'invalid_environment' | 'invalid_option'

/** A set-up value that cannot be used. The message names the key, the value and what is allowed; the start stops. */
export class TracingConfigError extends Error {
  override readonly name = 'TracingConfigError'
  readonly code: TracingConfigErrorCode

  constructor(code: TracingConfigErrorCode, message: string, options?: ErrorOptions) {
    super(message, options)
    this.code = code
  }
}

/** Where a value came from, and how to say so: `OTEL_TRACES_SAMPLER="x"` or `option sampler "x"`. */
export interface ValueSource {
  readonly code: TracingConfigErrorCode
  readonly key: string
}

export function invalidValue(source: ValueSource, value: unknown, allowed: string): TracingConfigError {
  const name = source.code === 'invalid_option' ? `option ${source.key}` : source.key
  return new TracingConfigError(
    source.code,
    `${name}: ${JSON.stringify(value)} is not valid; allowed: ${allowed}`,
  )
}
