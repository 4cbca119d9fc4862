import { type Attributes, type Context, context, createContextKey } from '@opentelemetry/api'

const sendAttributesKey = createContextKey('throughline.nats.send-attributes')

/**
 * Runs `send`, and puts `attributes` on the spans of what is published or requested in it, before those of the messaging
 * conventions: `withSendAttributes({ 'job.id': id }, () => js.publish(subject, id))`. Returns what `send` returns.
 */
export function withSendAttributes<T>(attributes: Attributes, send: () => T): T {
  return context.with(context.active().setValue(sendAttributesKey, attributes), send)
}

/** What withSendAttributes has set around here. */
export function sendAttributesOf(from: Context): Attributes | undefined {
  // Only withSendAttributes knows the key, so that nothing else can be there.
  return from.getValue(sendAttributesKey) as Attributes | undefined
}
