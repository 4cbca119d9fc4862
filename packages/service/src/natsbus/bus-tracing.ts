import type { MsgHdrs } from '@nats-io/nats-core'
import {
  type Attributes,
  type Context,
  context,
  isSpanContextValid,
  propagation,
  ROOT_CONTEXT,
  type Span,
  type SpanContext,
  SpanKind,
  SpanStatusCode,
  trace,
} from '@opentelemetry/api'
import { extractFromHeaders, injectIntoHeaders } from '@throughline/nats'
import { errorText } from '../error-text.ts'
import type { BusEvent } from './bus-event.ts'

const scope = '@throughline/service/natsbus'

/** Both generations of the name that dashboards ask for, as the other services of a mesh write them. */
function destination(subject: string): Attributes {
  return {
    'messaging.system': 'nats',
    'messaging.destination': subject,
    'messaging.destination.name': subject,
  }
}

/** What carries the context of an event's start. */
export type TraceFields = Pick<BusEvent, 'baggage' | 'traceparent' | 'tracestate'>

/** The span of one publishing, and the context in it, for the envelope and for the headers. */
export interface Publishing {
  readonly span: Span
  readonly context: Context
  readonly fields: TraceFields
}

export function startPublishing(subject: string, id: string): Publishing {
  const span = trace.getTracer(scope).startSpan('nats.publish', {
    kind: SpanKind.PRODUCER,
    attributes: {
      ...destination(subject),
      'messaging.operation.name': 'publish',
      'messaging.operation.type': 'send',
      'messaging.message.id': id,
    },
  })
  const inside = trace.setSpan(context.active(), span)
  return { span, context: inside, fields: fieldsOf(inside) }
}

/** Headers that carry the publishing's context, beside what is in `source` already. */
export function injectPublishing(publishing: Publishing, source: MsgHdrs): MsgHdrs {
  const headers = injectIntoHeaders(publishing.context, source) ?? source
  const { traceparent } = publishing.fields
  // Without a global propagator nothing was written: an event of ours has its context all the same.
  if (traceparent !== undefined && headers.get('traceparent') === '') headers.set('traceparent', traceparent)
  return headers
}

export interface Delivery {
  readonly subject: string
  /** What the consumer asked for; may hold wildcards. */
  readonly filter: string
  readonly durable: string
  readonly headers: MsgHdrs | undefined
  readonly event: BusEvent | undefined
  readonly deliveryCount: number
}

/** A CONSUMER span: child of the publishing, and linked to it. A valid header goes first, then the envelope. */
export function startProcessing(delivery: Delivery): { readonly span: Span; readonly context: Context } {
  const parent = parentOf(delivery)
  const producer = validSpanContext(parent)
  const isPattern = delivery.filter !== delivery.subject
  const span = trace.getTracer(scope).startSpan(
    'nats.process',
    {
      kind: SpanKind.CONSUMER,
      attributes: {
        ...destination(delivery.subject),
        ...(isPattern && { 'messaging.destination.template': delivery.filter }),
        'messaging.destination.subscription.name': delivery.durable,
        'messaging.operation.name': 'process',
        'messaging.operation.type': 'process',
        'messaging.nats.message.delivery_count': delivery.deliveryCount,
        ...(delivery.event !== undefined && { 'messaging.message.id': delivery.event.id }),
      },
      links: producer === undefined ? [] : [{ context: producer }],
    },
    parent,
  )
  return { span, context: trace.setSpan(parent, span) }
}

export function endWithError(span: Span, error: unknown): void {
  const message = errorText(error)
  span.recordException(error instanceof Error ? error : message)
  span.setStatus({ code: SpanStatusCode.ERROR, message })
  span.setAttribute('error.type', error instanceof Error ? error.name : typeof error)
  span.end()
}

function parentOf({ headers, event }: Delivery): Context {
  const fromHeaders = extractFromHeaders(headers)
  if (validSpanContext(fromHeaders) !== undefined || event === undefined) return fromHeaders
  const { traceparent, tracestate, baggage } = event
  return propagation.extract(ROOT_CONTEXT, {
    ...(traceparent !== undefined && { traceparent }),
    ...(tracestate !== undefined && { tracestate }),
    ...(baggage !== undefined && { baggage }),
  })
}

function validSpanContext(inside: Context): SpanContext | undefined {
  const found = trace.getSpanContext(inside)
  return found !== undefined && isSpanContextValid(found) ? found : undefined
}

function fieldsOf(inside: Context): TraceFields {
  const carrier: Record<string, string> = {}
  propagation.inject(inside, carrier)
  const found = validSpanContext(inside)
  if (carrier['traceparent'] === undefined && found !== undefined) {
    // https://www.w3.org/TR/trace-context-2/#trace-flags: sampled and random, nothing else.
    const flags = (found.traceFlags & 3).toString(16).padStart(2, '0')
    carrier['traceparent'] = `00-${found.traceId}-${found.spanId}-${flags}`
  }
  const { traceparent, tracestate, baggage } = carrier
  return { traceparent, tracestate, baggage }
}
