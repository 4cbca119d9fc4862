import type { Attributes } from '@opentelemetry/api'
import type { CloudEvent } from './event.ts'

// https://opentelemetry.io/docs/specs/semconv/cloudevents/cloudevents-spans/
const eventId = 'cloudevents.event_id'
const eventSource = 'cloudevents.event_source'
const eventSpecVersion = 'cloudevents.event_spec_version'
const eventType = 'cloudevents.event_type'
const eventSubject = 'cloudevents.event_subject'
export const errorType = 'error.type'

/** An event's sender chooses these texts; a span has no use for more of them. */
const valueCharsMax = 1_000

/**
 * The attributes that the conventions have for an event, for the span of whoever sends or processes it; for those of
 * @throughline/nats give them to `withSendAttributes` or `processMessage`.
 */
export function eventAttributes(event: CloudEvent): Attributes {
  const attributes: Attributes = {
    [eventId]: shortened(event.id),
    [eventSource]: shortened(event.source),
    [eventSpecVersion]: '1.0',
    [eventType]: shortened(event.type),
  }
  if (event.subject !== undefined) attributes[eventSubject] = shortened(event.subject)
  return attributes
}

export function shortened(text: string): string {
  return text.length <= valueCharsMax ? text : text.slice(0, valueCharsMax)
}
