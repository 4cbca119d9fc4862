import type { MsgHdrs } from '@nats-io/nats-core'

const sent = new WeakSet<MsgHdrs>()

/**
 * Marks headers that already carry the context of a span: the JetStream client hands a message on to the connection, which
 * must not make a second span of it.
 */
export function markSent<H extends MsgHdrs | undefined>(headers: H): H {
  if (headers !== undefined) sent.add(headers)
  return headers
}

export function isSent(headers: MsgHdrs | undefined): boolean {
  return headers !== undefined && sent.has(headers)
}
