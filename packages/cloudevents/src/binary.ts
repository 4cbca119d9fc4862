import {
  attributesOf,
  type CloudEvent,
  CloudEventError,
  type EventResult,
  eventFrom,
  fault,
  isJsonType,
  isTextType,
  ProtoData,
  type ReadLimits,
  sizeBytesMaxDefault,
} from './event.ts'
import {
  decodeHeaderValue,
  encodeHeaderValue,
  type HeaderSource,
  headerEntries,
  headerValue,
} from './headers.ts'
import { formatJson, parseJson } from './json-text.ts'
import type { Binding, EventMessage } from './message.ts'
import { decodeUtf8 } from './values.ts'

const prefix = 'ce-'

/** An event whose attributes are headers. https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/bindings/http-protocol-binding.md#31-binary-content-mode */
export function readBinary(message: EventMessage, limits: ReadLimits): EventResult {
  const attributes = readAttributes(message.headers, limits)
  if ('error' in attributes) return attributes
  const contentType = headerValue(message.headers, 'content-type')?.trim()
  // NATS keeps the type in a header of its own; HTTP has only the usual one.
  if (!attributes.has('datacontenttype') && contentType) attributes.set('datacontenttype', contentType)
  const data = readData(message.body, attributes.get('datacontenttype'), limits)
  if (data.error !== undefined) return data
  return eventFrom(attributes, data.value, limits)
}

function readAttributes(
  headers: HeaderSource | undefined,
  limits: ReadLimits,
): Map<string, string> | ReturnType<typeof fault> {
  const attributes = new Map<string, string>()
  let charsLeft = limits.sizeBytesMax ?? sizeBytesMaxDefault
  for (const [header, text] of headerEntries(headers)) {
    charsLeft -= header.length + text.length
    if (charsLeft < 0) return fault('too_large', 'the headers are too large')
    const lowerCase = header.toLowerCase()
    if (!lowerCase.startsWith(prefix) || lowerCase.length === prefix.length) continue
    const name = lowerCase.slice(prefix.length)
    const value = decodeHeaderValue(text)
    if (value === undefined) return fault('invalid_attribute', `${JSON.stringify(name)} is not UTF-8`)
    const before = attributes.get(name)
    if (before === undefined || before === value) attributes.set(name, value)
    // Two traces are none, which is no reason to lose the event; any other attribute must be there once.
    else if (name === 'traceparent' || name === 'tracestate') attributes.set(name, `${before},${value}`)
    else return fault('invalid_attribute', `${JSON.stringify(name)} is there twice`)
  }
  return attributes
}

type Data = { readonly value: unknown; readonly error?: undefined } | ReturnType<typeof fault>

function readData(body: Uint8Array, datacontenttype: string | undefined, limits: ReadLimits): Data {
  if (body.length === 0) return { value: undefined }
  if (body.length > (limits.sizeBytesMax ?? sizeBytesMaxDefault))
    return fault('too_large', 'the body is too large')
  if (datacontenttype === undefined) return { value: body }
  if (isJsonType(datacontenttype)) {
    const parsed = parseJson(body, limits)
    if (parsed.error === undefined) return parsed
    return parsed.error.code === 'not_json'
      ? fault('invalid_data', 'the data is not the JSON that it claims to be')
      : parsed
  }
  if (isTextType(datacontenttype)) return { value: decodeUtf8(body) ?? body }
  return { value: body }
}

/** Throws a CloudEventError for what cannot be written. */
export function writeBinary(
  event: CloudEvent,
  binding: Binding,
): { headers: [string, string][]; body: Uint8Array } {
  const complete = withTypeOfData(event)
  const headers: [string, string][] = []
  for (const [name, value] of attributesOf(complete)) {
    if (name !== 'datacontenttype') headers.push([prefix + name, encodeHeaderValue(value)])
  }
  const { datacontenttype } = complete
  if (datacontenttype !== undefined) {
    if (binding === 'nats') headers.push([`${prefix}datacontenttype`, encodeHeaderValue(datacontenttype)])
    // HTTP has this one alone. On NATS it is for other programs; the binding asks for the one above.
    headers.push(['content-type', headerSafe(datacontenttype)])
  }
  return { headers, body: writeData(complete) }
}

function withTypeOfData(event: CloudEvent): CloudEvent {
  const { data, datacontenttype } = event
  if (data === undefined || data instanceof Uint8Array || datacontenttype !== undefined) return event
  if (!(data instanceof ProtoData)) return { ...event, datacontenttype: 'application/json' }
  return { ...event, datacontenttype: 'application/protobuf', dataschema: event.dataschema ?? data.typeUrl }
}

/** A media type has spaces before its parameters, which HTTP wants to see as they are. */
function headerSafe(datacontenttype: string): string {
  if (/^[\u0020-\u007e]*$/.test(datacontenttype)) return datacontenttype
  throw new CloudEventError({ code: 'invalid_attribute', text: '"datacontenttype" is not ASCII' })
}

function writeData({ data, datacontenttype }: CloudEvent): Uint8Array {
  if (data === undefined) return new Uint8Array()
  if (data instanceof Uint8Array) return data
  if (data instanceof ProtoData) return data.bytes
  if (isJsonType(datacontenttype)) return formatJson(data)
  if (typeof data === 'string') return new TextEncoder().encode(data)
  throw new CloudEventError({
    code: 'invalid_data',
    text: `data of the type ${datacontenttype} must be a text or a Uint8Array`,
  })
}
