import {
  type AttributeValue,
  attributesOf,
  type CloudEvent,
  CloudEventError,
  type EventResult,
  eventFrom,
  fault,
  isJsonType,
  ProtoData,
  type ReadLimits,
  sizeBytesMaxDefault,
} from './event.ts'
import { formatJson, parseJson } from './json-text.ts'
import { formatTimestamp, parseTimestamp } from './values.ts'
import { WireFault, WireReader, WireWriter } from './wire.ts'

// io.cloudevents.v1.CloudEvent: https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/formats/cloudevents.proto
const field = {
  id: 1,
  source: 2,
  specversion: 3,
  type: 4,
  attributes: 5,
  binaryData: 6,
  textData: 7,
  protoData: 8,
}
const valueField = { boolean: 1, integer: 2, string: 3, bytes: 4, uri: 5, uriReference: 6, timestamp: 7 }

interface Raw {
  readonly attributes: Map<string, unknown>
  data: Uint8Array | string | ProtoData | undefined
}

/** One event in the protobuf format. The data's bytes are a view into `body`. */
export function readProtobuf(body: Uint8Array, limits: ReadLimits): EventResult {
  if (body.length > (limits.sizeBytesMax ?? sizeBytesMaxDefault))
    return fault('too_large', 'the body is too large')
  const raw: Raw = { attributes: new Map(), data: undefined }
  try {
    readEvent(new WireReader(body), raw)
  } catch (error) {
    if (error instanceof WireFault)
      return fault('not_protobuf', `it is no protobuf message: ${error.message}`)
    throw error
  }
  const datacontenttype = raw.attributes.get('datacontenttype')
  if (typeof raw.data === 'string' && typeof datacontenttype === 'string' && isJsonType(datacontenttype)) {
    const json = parseJson(new TextEncoder().encode(raw.data), limits)
    if (json.error !== undefined) return fault('invalid_data', `the data: ${json.error.text}`)
    return eventFrom(raw.attributes, json.value, limits)
  }
  return eventFrom(raw.attributes, raw.data, limits)
}

const requiredByField = new Map([
  [field.id, 'id'],
  [field.source, 'source'],
  [field.specversion, 'specversion'],
  [field.type, 'type'],
])

function readEvent(reader: WireReader, raw: Raw): void {
  reader.fields((number, wireType) => {
    if (wireType !== 2) return reader.skip(wireType)
    const name = requiredByField.get(number)
    // proto3 says nothing of a text that is empty: it is not there.
    if (name !== undefined) raw.attributes.set(name, reader.text() || undefined)
    else if (number === field.attributes) readAttribute(reader.message(), raw.attributes)
    else if (number === field.binaryData) raw.data = reader.bytes()
    else if (number === field.textData) raw.data = reader.text()
    else if (number === field.protoData) raw.data = readAny(reader.message())
    else reader.skip(wireType)
  })
}

function readAttribute(entry: WireReader, attributes: Map<string, unknown>): void {
  let name = ''
  let value: AttributeValue | undefined
  entry.fields((number, wireType) => {
    if (number === 1 && wireType === 2) name = entry.text()
    else if (number === 2 && wireType === 2) value = readValue(entry.message())
    else entry.skip(wireType)
  })
  // The fields of the required attributes are theirs alone.
  if (![...requiredByField.values()].includes(name)) attributes.set(name, value)
}

function readValue(reader: WireReader): AttributeValue | undefined {
  let value: AttributeValue | undefined
  reader.fields((number, wireType) => {
    if (wireType === 0 && number === valueField.boolean) value = reader.varint() !== 0
    else if (wireType === 0 && number === valueField.integer) value = reader.int64() | 0
    else if (wireType !== 2) reader.skip(wireType)
    else if (number === valueField.bytes) value = reader.bytes()
    else if (number === valueField.timestamp) value = readTimestamp(reader.message())
    else if (
      number === valueField.string ||
      number === valueField.uri ||
      number === valueField.uriReference
    ) {
      value = reader.text()
    } else reader.skip(wireType)
  })
  return value
}

function readTimestamp(reader: WireReader): string {
  let seconds = 0
  let nanos = 0
  reader.fields((number, wireType) => {
    if (number === 1 && wireType === 0) seconds = reader.int64()
    else if (number === 2 && wireType === 0) nanos = reader.int64()
    else reader.skip(wireType)
  })
  const text = formatTimestamp({ seconds, nanos })
  if (text === undefined) throw new WireFault('timestamp')
  return text
}

function readAny(reader: WireReader): ProtoData {
  let typeUrl = ''
  let bytes: Uint8Array = new Uint8Array()
  reader.fields((number, wireType) => {
    if (number === 1 && wireType === 2) typeUrl = reader.text()
    else if (number === 2 && wireType === 2) bytes = reader.bytes()
    else reader.skip(wireType)
  })
  return new ProtoData(typeUrl, bytes)
}

/** Throws a CloudEventError for what cannot be written. */
export function writeProtobuf(event: CloudEvent): Uint8Array {
  const { data } = event
  const implied = data === undefined || data instanceof Uint8Array || data instanceof ProtoData
  const complete: CloudEvent =
    implied || event.datacontenttype !== undefined ? event : { ...event, datacontenttype: 'application/json' }
  const writer = new WireWriter()
    .text(field.id, event.id)
    .text(field.source, event.source)
    .text(field.specversion, '1.0')
    .text(field.type, event.type)
  const required = new Set(requiredByField.values())
  for (const [name, value] of attributesOf(complete)) {
    if (!required.has(name)) writer.bytes(field.attributes, attributeEntry(name, value))
  }
  writeData(writer, complete)
  return writer.finish()
}

/** A field of the map of attributes, which protobuf allows to stand at the end of an encoded event as well. */
export function attributeField(name: string, value: string): Uint8Array {
  return new WireWriter().bytes(field.attributes, attributeEntry(name, value)).finish()
}

function attributeEntry(name: string, value: AttributeValue): Uint8Array {
  return new WireWriter().text(1, name).bytes(2, attributeValue(name, value)).finish()
}

function attributeValue(name: string, value: AttributeValue): Uint8Array {
  const writer = new WireWriter()
  if (typeof value === 'boolean') return writer.varint(valueField.boolean, value ? 1 : 0).finish()
  if (typeof value === 'number') return writer.varint(valueField.integer, value).finish()
  if (value instanceof Uint8Array) return writer.bytes(valueField.bytes, value).finish()
  const timestamp = name === 'time' ? parseTimestamp(value) : undefined
  if (timestamp !== undefined) {
    const message = new WireWriter().varint(1, timestamp.seconds)
    if (timestamp.nanos !== 0) message.varint(2, timestamp.nanos)
    return writer.bytes(valueField.timestamp, message.finish()).finish()
  }
  return writer.text(name === 'dataschema' ? valueField.uri : valueField.string, value).finish()
}

function writeData(writer: WireWriter, { data, datacontenttype }: CloudEvent): void {
  if (data === undefined) return
  if (data instanceof Uint8Array) writer.bytes(field.binaryData, data)
  else if (data instanceof ProtoData) {
    writer.bytes(field.protoData, new WireWriter().text(1, data.typeUrl).bytes(2, data.bytes).finish())
  } else if (isJsonType(datacontenttype)) writer.bytes(field.textData, formatJson(data))
  else if (typeof data === 'string') writer.text(field.textData, data)
  else {
    throw new CloudEventError({
      code: 'invalid_data',
      text: `data of the type ${datacontenttype} must be a text or a Uint8Array`,
    })
  }
}
