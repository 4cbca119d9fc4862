import { Buffer } from 'node:buffer'
import type { DecodedKeyValue, DecodedResource, DecodedScope, DecodedValue } from './model.ts'
import type { WireReader } from './wire-reader.ts'
import { double, int64Varint, type WireWriter } from './wire-writer.ts'

// opentelemetry/proto/common/v1/common.proto and resource.proto: AnyValue, KeyValue, InstrumentationScope, Resource.

export function readResource(reader: WireReader): DecodedResource {
  const attributes: DecodedKeyValue[] = []
  let droppedAttributesCount = 0
  while (reader.more()) {
    const tag = reader.tag()
    if (tag === 0x0a) attributes.push(readKeyValue(reader))
    else if (tag === 0x10) droppedAttributesCount = reader.uint32()
    else reader.skip(tag)
  }
  return { attributes, droppedAttributesCount }
}

export const emptyResource: DecodedResource = { attributes: [], droppedAttributesCount: 0 }

export function readScope(reader: WireReader): DecodedScope {
  const attributes: DecodedKeyValue[] = []
  let name = ''
  let version = ''
  let droppedAttributesCount = 0
  while (reader.more()) {
    const tag = reader.tag()
    if (tag === 0x0a) name = reader.string()
    else if (tag === 0x12) version = reader.string()
    else if (tag === 0x1a) attributes.push(readKeyValue(reader))
    else if (tag === 0x20) droppedAttributesCount = reader.uint32()
    else reader.skip(tag)
  }
  return { name, version, attributes, droppedAttributesCount }
}

export const emptyScope: DecodedScope = { name: '', version: '', attributes: [], droppedAttributesCount: 0 }

export function readKeyValue(reader: WireReader, depth = 0): DecodedKeyValue {
  return reader.nested(keyValueBody, depth)
}

export function readAnyValue(reader: WireReader, depth = 0): DecodedValue {
  return reader.nested(anyValueBody, depth)
}

function keyValueBody(reader: WireReader, depth: number): DecodedKeyValue {
  let key = ''
  let value: DecodedValue = null
  while (reader.more()) {
    const tag = reader.tag()
    if (tag === 0x0a) key = reader.string()
    else if (tag === 0x12) value = readAnyValue(reader, depth)
    else reader.skip(tag)
  }
  return { key, value }
}

/** A oneof: the last field wins. */
function anyValueBody(reader: WireReader, depth: number): DecodedValue {
  let value: DecodedValue = null
  while (reader.more()) {
    const tag = reader.tag()
    if (tag === 0x0a) value = reader.string()
    else if (tag === 0x10) value = reader.bool()
    else if (tag === 0x18) value = reader.int64()
    else if (tag === 0x21) value = reader.double()
    else if (tag === 0x2a) value = reader.nested(arrayBody, depth + 1)
    else if (tag === 0x32) value = reader.nested(listBody, depth + 1)
    else if (tag === 0x3a) value = reader.bytes()
    else reader.skip(tag)
  }
  return value
}

function arrayBody(reader: WireReader, depth: number): DecodedValue {
  const values: DecodedValue[] = []
  while (reader.more()) {
    const tag = reader.tag()
    if (tag === 0x0a) values.push(readAnyValue(reader, depth))
    else reader.skip(tag)
  }
  return values
}

function listBody(reader: WireReader, depth: number): DecodedValue {
  const entries: DecodedKeyValue[] = []
  while (reader.more()) {
    const tag = reader.tag()
    if (tag === 0x0a) entries.push(readKeyValue(reader, depth))
    else reader.skip(tag)
  }
  return { entries }
}

export function writeResource(writer: WireWriter, at: number, resource: DecodedResource): number {
  const bodyAt = writer.open(at, 0x0a)
  const p = writeKeyValues(writer, bodyAt, 0x0a, resource.attributes)
  return writer.close(bodyAt, writeCount(writer, p, 0x10, resource.droppedAttributesCount))
}

export function writeScope(writer: WireWriter, at: number, scope: DecodedScope): number {
  const bodyAt = writer.open(at, 0x0a)
  let p = writeText(writer, bodyAt, 0x0a, scope.name)
  p = writeText(writer, p, 0x12, scope.version)
  p = writeKeyValues(writer, p, 0x1a, scope.attributes)
  return writer.close(bodyAt, writeCount(writer, p, 0x20, scope.droppedAttributesCount))
}

export function writeKeyValues(
  writer: WireWriter,
  at: number,
  tag: number,
  attributes: readonly DecodedKeyValue[],
): number {
  let p = at
  for (const { key, value } of attributes) {
    const bodyAt = writer.open(p, tag)
    p = writer.close(bodyAt, writeAnyValue(writer, writer.string(bodyAt, 0x0a, key), 0x12, value))
  }
  return p
}

export function writeAnyValue(writer: WireWriter, at: number, tag: number, value: DecodedValue): number {
  const bodyAt = writer.open(at, tag)
  return writer.close(bodyAt, writeValueField(writer, bodyAt, value))
}

function writeValueField(writer: WireWriter, at: number, value: DecodedValue): number {
  switch (typeof value) {
    case 'string':
      return writer.string(at, 0x0a, value)
    case 'boolean':
      return writer.uint(at, 0x10, value ? 1 : 0)
    case 'bigint':
      return writeInt64(writer, at, value)
    case 'number':
      // -0 is a double: an int64 has no sign of zero.
      if (!Number.isSafeInteger(value) || Object.is(value, -0)) return writeDouble(writer, at, 0x21, value)
      return writeInt64(writer, at, BigInt(value))
    case 'object':
      return value === null ? at : writeObject(writer, at, value)
    default:
      return at
  }
}

function writeObject(writer: WireWriter, at: number, value: Exclude<DecodedValue & object, null>): number {
  if (value instanceof Uint8Array) return writeBytes(writer, at, 0x3a, value)
  if ('entries' in value && !Array.isArray(value)) {
    const { entries } = value as { entries: readonly DecodedKeyValue[] }
    const bodyAt = writer.open(at, 0x32)
    return writer.close(bodyAt, writeKeyValues(writer, bodyAt, 0x0a, entries))
  }
  const bodyAt = writer.open(at, 0x2a)
  let p = bodyAt
  for (const element of value as readonly DecodedValue[]) p = writeAnyValue(writer, p, 0x0a, element)
  return writer.close(bodyAt, p)
}

function writeInt64(writer: WireWriter, at: number, value: bigint): number {
  writer.require(at, 11)
  writer.bytes[at] = 0x18
  return int64Varint(writer.bytes, at + 1, value)
}

/** Left out when empty, as protobuf does with default values. */
export function writeText(writer: WireWriter, at: number, tag: number, text: string): number {
  return text === '' ? at : writer.string(at, tag, text)
}

export function writeCount(writer: WireWriter, at: number, tag: number, count: number): number {
  return count === 0 ? at : writer.uint(at, tag, count >>> 0)
}

export function writeBytes(writer: WireWriter, at: number, tag: number, bytes: Uint8Array): number {
  return writer.raw(writer.uint(at, tag, bytes.length), bytes)
}

/** `hex` as bytes; left out when it is empty. */
export function writeId(writer: WireWriter, at: number, tag: number, hex: string): number {
  return hex === '' ? at : writeBytes(writer, at, tag, Buffer.from(hex, 'hex'))
}

export function writeFixed64(writer: WireWriter, at: number, tag: number, value: bigint): number {
  if (value === 0n) return at
  writer.require(at, 9)
  writer.bytes[at] = tag
  let rest = value
  for (let i = 1; i <= 8; i++, rest >>= 8n) writer.bytes[at + i] = Number(rest & 255n)
  return at + 9
}

function writeDouble(writer: WireWriter, at: number, tag: number, value: number): number {
  writer.require(at, 9)
  writer.bytes[at] = tag
  return double(writer.bytes, at + 1, value)
}

/** The four bytes alone; the caller has written the tag. */
export function writeFixed32(writer: WireWriter, at: number, value: number): number {
  writer.require(at, 4)
  for (let i = 0; i < 4; i++) writer.bytes[at + i] = value >>> (8 * i)
  return at + 4
}
