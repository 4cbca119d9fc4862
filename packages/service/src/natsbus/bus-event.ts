import { ProtoData } from '@throughline/cloudevents'

/** One event of the bus: a CloudEvent whose type is its subject, of one tenant, with the trace context of its start. */
export interface BusEvent {
  readonly id: string
  readonly type: string
  readonly source: string
  /** RFC 3339. */
  readonly time: string
  readonly tenantId: string
  /** A JSON value; in the protobuf formats a {@link ProtoData}. */
  readonly data: unknown
  /** The start of the transmission. The message's headers tell of the last hop and go first. */
  readonly traceparent?: string | undefined
  readonly tracestate?: string | undefined
  readonly baggage?: string | undefined
}

/** What a service says has changed, as the `data` of an event on `<prefix>.<aggregateType>.<operation>`. */
export interface ChangeEvent {
  readonly sequence: number
  readonly tenantId: string
  readonly aggregateType: string
  readonly aggregateId: string
  readonly operation: string
  readonly aggregateVersion: number
  /** RFC 3339. */
  readonly recordedAt: string
  readonly payload: unknown
}

export interface ChangeMessage {
  readonly subject: string
  /** `prefix` without `.changes`. */
  readonly source: string
  readonly tenantId: string
  readonly data: object
}

/** A change as what is published: `pipeline.changes` and a `deal` that is updated give `pipeline.changes.deal.update`. */
export function changeMessage(prefix: string, change: ChangeEvent): ChangeMessage {
  return {
    subject: `${prefix}.${change.aggregateType}.${change.operation}`,
    source: prefix.replace(/\.changes$/, ''),
    tenantId: change.tenantId,
    data: {
      sequence: change.sequence,
      tenant_id: change.tenantId,
      aggregate_type: change.aggregateType,
      aggregate_id: change.aggregateId,
      operation: change.operation,
      aggregate_version: change.aggregateVersion,
      recorded_at: change.recordedAt,
      payload: change.payload,
    },
  }
}

export { ProtoData }
