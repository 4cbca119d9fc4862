import type { MsgHdrs } from '@nats-io/nats-core'

interface Sent {
  attempts: number
}

const sent = new WeakMap<MsgHdrs, Sent>()

/**
 * Marks headers that already carry the context of a span: the JetStream client hands a message on to the connection, which
 * must not make a second span of it.
 */
export function markSent<H extends MsgHdrs | undefined>(headers: H): H {
  if (headers !== undefined) sent.set(headers, { attempts: 0 })
  return headers
}

export function isSent(headers: MsgHdrs | undefined): boolean {
  return headers !== undefined && sent.has(headers)
}

/** A message with these headers goes out; JetStream's client tries again by itself when it is told to. */
export function noteAttempt(headers: MsgHdrs | undefined): void {
  const known = headers === undefined ? undefined : sent.get(headers)
  if (known !== undefined) known.attempts++
}

/** How often a message with these headers went out so far. */
export function attemptsOf(headers: MsgHdrs): number {
  return sent.get(headers)?.attempts ?? 0
}
