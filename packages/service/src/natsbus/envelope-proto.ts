import { ProtoData } from '@throughline/cloudevents'
import protobuf from 'protobufjs/light.js'
import type { BusEvent } from './bus-event.ts'

const text = (id: number): protobuf.IField => ({ type: 'string', id })

const root = protobuf.Root.fromJSON({
  nested: {
    Any: { fields: { typeUrl: text(1), value: { type: 'bytes', id: 2 } } },
    EventEnvelope: {
      fields: {
        specVersion: text(1),
        id: text(2),
        type: text(3),
        source: text(4),
        time: text(5),
        dataContentType: text(6),
        tenantId: text(7),
        data: { type: 'Any', id: 8 },
        traceParent: text(9),
        traceState: text(10),
        baggage: text(11),
      },
    },
  },
})
const anyType = root.lookupType('Any')
const envelopeType = root.lookupType('EventEnvelope')

interface AnyFields {
  readonly typeUrl: string
  readonly value: Uint8Array
}

interface EnvelopeFields {
  readonly specVersion: string
  readonly id: string
  readonly type: string
  readonly source: string
  readonly time: string
  readonly tenantId: string
  readonly data: AnyFields | null
  readonly traceParent: string
  readonly traceState: string
  readonly baggage: string
}

export function encodeEnvelope(event: BusEvent, data: ProtoData): Uint8Array {
  const fields = {
    specVersion: '1.0',
    id: event.id,
    type: event.type,
    source: event.source,
    time: event.time,
    dataContentType: 'application/protobuf',
    tenantId: event.tenantId,
    data: { typeUrl: data.typeUrl, value: data.bytes },
    traceParent: event.traceparent ?? '',
    traceState: event.tracestate ?? '',
    baggage: event.baggage ?? '',
  }
  return envelopeType.encode(fields).finish()
}

/** Throws for what is no protobuf. */
export function decodeEnvelope(bytes: Uint8Array): {
  readonly specVersion: string
  readonly event: BusEvent
} {
  // The decoder gives every field of the type, with its default where the message has none.
  const fields = envelopeType.decode(bytes) as unknown as EnvelopeFields
  return {
    specVersion: fields.specVersion,
    event: {
      id: fields.id,
      type: fields.type,
      source: fields.source,
      time: fields.time,
      tenantId: fields.tenantId,
      data: fields.data === null ? undefined : new ProtoData(fields.data.typeUrl, fields.data.value),
      traceparent: fields.traceParent || undefined,
      tracestate: fields.traceState || undefined,
      baggage: fields.baggage || undefined,
    },
  }
}

export function encodeAny(data: ProtoData): Uint8Array {
  return anyType.encode({ typeUrl: data.typeUrl, value: data.bytes }).finish()
}

/** Throws for what is no protobuf. */
export function decodeAny(bytes: Uint8Array): ProtoData {
  const { typeUrl, value } = anyType.decode(bytes) as unknown as AnyFields
  return new ProtoData(typeUrl, value)
}
