import { ProtoData } from '@throughline/cloudevents'
import { errorText } from '../error-text.ts'
import { BusError } from './bus-error.ts'
import type { BusEvent } from './bus-event.ts'
import { decodeAny, decodeEnvelope, encodeAny, encodeEnvelope } from './envelope-proto.ts'

/** How an event is written: as JSON, as an EventEnvelope, or with its attributes in headers. */
export type EnvelopeFormat = 'json' | 'proto' | 'proto-headers'

export interface WrittenEvent {
  readonly payload: Uint8Array
  readonly headers: readonly (readonly [string, string])[]
}

/** Headers as every client has them: names in any case. */
export type HeaderEntries = Iterable<readonly [string, string | readonly string[]]>

export type ReadBusEvent =
  | { readonly event: BusEvent; readonly error?: undefined }
  | { readonly event?: undefined; readonly error: string }

/** An envelope beyond this is not looked at. */
const payloadBytesMax = 16 * 1024 * 1024

const headerNames = {
  specversion: 'ce-specversion',
  id: 'ce-id',
  type: 'ce-type',
  source: 'ce-source',
  time: 'ce-time',
  tenantid: 'ce-tenantid',
} as const

/** Throws a BusError (`invalid_event`) for data that the format cannot hold. */
export function writeEnvelope(event: BusEvent, format: EnvelopeFormat): WrittenEvent {
  switch (format) {
    case 'json':
      return { payload: Buffer.from(jsonEnvelope(event)), headers: [] }
    case 'proto':
      return { payload: encodeEnvelope(event, protoDataOf(event)), headers: [] }
    case 'proto-headers':
      return {
        payload: encodeAny(protoDataOf(event)),
        headers: [
          [headerNames.specversion, '1.0'],
          [headerNames.id, event.id],
          [headerNames.type, event.type],
          [headerNames.source, event.source],
          [headerNames.time, event.time],
          ['content-type', 'application/protobuf'],
          [headerNames.tenantid, event.tenantId],
          ...traceEntries(event),
        ],
      }
  }
}

/** The event in a message, whichever of the three formats it has. Never throws. */
export function readEnvelope(payload: Uint8Array, headers: HeaderEntries | undefined): ReadBusEvent {
  if (payload.length > payloadBytesMax) return { error: `more than ${payloadBytesMax} bytes` }
  const found = headersByName(headers)
  const { specversion, id, type, source } = headerNames
  try {
    if ([specversion, id, type, source].every((name) => (found.get(name) ?? '') !== ''))
      return readFromHeaders(payload, found)
    const first = payload.find((byte) => byte !== 0x20 && byte !== 0x09 && byte !== 0x0a && byte !== 0x0d)
    return first === 0x7b ? readJsonEnvelope(payload) : checked(decodeEnvelope(payload))
  } catch (error) {
    return { error: errorText(error) }
  }
}

function jsonEnvelope(event: BusEvent): string {
  if (event.data instanceof ProtoData)
    throw new BusError('invalid_event', 'data: protobuf data does not go into a JSON envelope')
  return JSON.stringify({
    specversion: '1.0',
    id: event.id,
    type: event.type,
    source: event.source,
    time: event.time,
    datacontenttype: 'application/json',
    tenant_id: event.tenantId,
    ...Object.fromEntries(traceEntries(event)),
    data: event.data,
  })
}

function readJsonEnvelope(payload: Uint8Array): ReadBusEvent {
  const value: unknown = JSON.parse(Buffer.from(payload).toString('utf8'))
  const fields = new Map(Object.entries(value as object)) // It begins with a brace.
  const text = (name: string): string => {
    const field = fields.get(name)
    return typeof field === 'string' ? field : ''
  }
  return checked({
    specVersion: text('specversion'),
    event: {
      id: text('id'),
      type: text('type'),
      source: text('source'),
      time: text('time'),
      tenantId: text('tenant_id'),
      data: fields.get('data'),
      ...traceOf(text),
    },
  })
}

function readFromHeaders(payload: Uint8Array, headers: ReadonlyMap<string, string>): ReadBusEvent {
  const text = (name: string): string => headers.get(name) ?? ''
  return checked({
    specVersion: text(headerNames.specversion),
    event: {
      id: text(headerNames.id),
      type: text(headerNames.type),
      source: text(headerNames.source),
      time: text(headerNames.time),
      tenantId: text(headerNames.tenantid),
      data: decodeAny(payload),
      ...traceOf(text),
    },
  })
}

function checked(read: { readonly specVersion: string; readonly event: BusEvent }): ReadBusEvent {
  if (read.specVersion !== '1.0')
    return { error: `specversion ${JSON.stringify(read.specVersion.slice(0, 32))} is not 1.0` }
  for (const name of ['id', 'type', 'source'] as const)
    if (read.event[name] === '') return { error: `${name} is missing` }
  return { event: read.event }
}

function traceOf(text: (name: string) => string): Pick<BusEvent, 'baggage' | 'traceparent' | 'tracestate'> {
  return {
    traceparent: text('traceparent') || undefined,
    tracestate: text('tracestate') || undefined,
    baggage: text('baggage') || undefined,
  }
}

function traceEntries(event: BusEvent): (readonly [string, string])[] {
  return (['traceparent', 'tracestate', 'baggage'] as const).flatMap((name) => {
    const value = event[name]
    return value === undefined || value === '' ? [] : [[name, value] as const]
  })
}

function protoDataOf({ data }: BusEvent): ProtoData {
  if (data instanceof ProtoData) return data
  throw new BusError('invalid_event', 'data: this format needs ProtoData, a type URL and bytes')
}

function headersByName(headers: HeaderEntries | undefined): ReadonlyMap<string, string> {
  const found = new Map<string, string>()
  for (const [name, value] of headers ?? []) {
    const [first = ''] = [value].flat()
    found.set(name.toLowerCase(), first.trim())
  }
  return found
}
