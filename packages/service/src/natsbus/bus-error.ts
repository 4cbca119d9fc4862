/** Match on this, never on the message. */
export type BusErrorCode = 'invalid_option' | 'invalid_event' | 'publish_failed' | 'dead_lettered'

/** What the bus throws at set-up and at publishing. */
export class BusError extends Error {
  override readonly name = 'BusError'
  readonly code: BusErrorCode

  constructor(code: BusErrorCode, message: string, options?: ErrorOptions) {
    super(message, options)
    this.code = code
  }
}
