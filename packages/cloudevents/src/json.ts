import {
  attributesOf,
  type CloudEvent,
  CloudEventError,
  type EventResult,
  eventFrom,
  type Fault,
  fault,
  isJsonType,
  ProtoData,
  type ReadLimits,
} from './event.ts'
import { formatJson, parseJson } from './json-text.ts'
import { decodeBase64, encodeBase64 } from './values.ts'

/** One event in the JSON format. https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/formats/json-format.md */
export function readJson(body: Uint8Array, limits: ReadLimits): EventResult {
  const json = parseJson(body, limits)
  return json.error === undefined ? eventOfValue(json.value, limits) : json
}

export type BatchResult =
  | { readonly events: readonly CloudEvent[]; readonly error?: undefined }
  | { readonly events?: undefined; readonly error: Fault }

const eventsMaxDefault = 1_000

/** A JSON array of events. One that is wrong makes the batch wrong: its sender can be told by the index. */
export function readJsonBatch(body: Uint8Array, limits: ReadLimits): BatchResult {
  const json = parseJson(body, limits)
  if (json.error !== undefined) return json
  if (!Array.isArray(json.value)) return fault('not_cloudevent', 'a batch is a JSON array')
  const values = json.value as unknown[]
  const eventsMax = limits.eventsMax ?? eventsMaxDefault
  if (values.length > eventsMax) return fault('too_many_events', `more than ${eventsMax} events in a batch`)
  const events: CloudEvent[] = []
  for (const [index, value] of values.entries()) {
    const { event, error } = eventOfValue(value, limits)
    if (error !== undefined) return fault(error.code, `event ${index}: ${error.text}`)
    events.push(event)
  }
  return { events }
}

function eventOfValue(value: unknown, limits: ReadLimits): EventResult {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    return fault('not_cloudevent', 'an event is a JSON object')
  }
  const members = new Map(Object.entries(value))
  const encoded: unknown = members.get('data_base64') ?? undefined
  let data: unknown = members.get('data')
  members.delete('data')
  members.delete('data_base64')
  if (encoded !== undefined) {
    if (data !== undefined) return fault('invalid_data', 'data and data_base64 exclude each other')
    data = typeof encoded === 'string' ? decodeBase64(encoded) : undefined
    if (data === undefined) return fault('invalid_data', 'data_base64 is not base64')
  }
  return eventFrom(members, data, limits)
}

/** Throws a CloudEventError for what cannot be written. */
export function writeJson(event: CloudEvent): Uint8Array {
  return formatJson(valueOfEvent(event))
}

/** Throws a CloudEventError for what cannot be written. */
export function writeJsonBatch(events: readonly CloudEvent[]): Uint8Array {
  return formatJson(events.map(valueOfEvent))
}

function valueOfEvent(event: CloudEvent): Record<string, unknown> {
  const value: Record<string, unknown> = {}
  for (const [name, attribute] of attributesOf(event)) {
    value[name] = attribute instanceof Uint8Array ? encodeBase64(attribute) : attribute
  }
  const { data, datacontenttype } = event
  if (data === undefined) return value
  if (data instanceof Uint8Array) value['data_base64'] = encodeBase64(data)
  else if (data instanceof ProtoData || (typeof data !== 'string' && !isJsonType(datacontenttype))) {
    throw new CloudEventError({
      code: 'invalid_data',
      text: 'the JSON format takes JSON values, texts and bytes; datacontenttype says which',
    })
  } else value['data'] = data
  return value
}
