import { Buffer } from 'node:buffer'
import { DecodeBudget, DecodeFault, type DecodeLimits } from './decode.ts'
import type { DecodedKeyValue, DecodedResource, DecodedScope, DecodedValue } from './model.ts'
import { shortest } from './wire-reader.ts'

/**
 * Reads OTLP/JSON: keys in lowerCamelCase, ids in hex, 64-bit integers as text (or number), bytes as base64, enums as
 * numbers. A missing or null field has its default; one of a wrong type is malformed; unknown ones are ignored.
 * https://opentelemetry.io/docs/specs/otlp/#json-protobuf-encoding
 */
export class JsonReader {
  readonly budget: DecodeBudget
  readonly #object: Readonly<Record<string, unknown>>

  constructor(value: unknown, budget: DecodeBudget) {
    if (typeof value !== 'object' || value === null || Array.isArray(value))
      throw wrong('message', 'an object')
    this.budget = budget
    this.#object = value as Readonly<Record<string, unknown>>
    budget.spendElement()
  }

  has(key: string): boolean {
    return this.#get(key) !== undefined
  }

  string(key: string): string {
    const value = this.#get(key) ?? ''
    if (typeof value !== 'string') throw wrong(key, 'a string')
    return value
  }

  boolean(key: string): boolean {
    const value = this.#get(key) ?? false
    if (typeof value !== 'boolean') throw wrong(key, 'true or false')
    return value
  }

  /** A 32-bit number, also as text. */
  number(key: string): number {
    const value = this.#get(key) ?? 0
    const number = typeof value === 'string' && value !== '' ? Number(value) : value
    if (typeof number !== 'number' || !Number.isInteger(number) || Math.abs(number) > 0xffffffff) {
      throw wrong(key, 'a 32-bit integer')
    }
    return number
  }

  /** An unsigned 64-bit integer. */
  uint64(key: string): bigint {
    const value = this.#get(key)
    return value === undefined ? 0n : BigInt.asUintN(64, integer(key, value))
  }

  int64(key: string): number | bigint {
    return shortest(BigInt.asIntN(64, integer(key, this.#get(key) ?? 0)))
  }

  double(key: string): number {
    const value = this.#get(key) ?? 0
    if (typeof value === 'number') return value
    if (typeof value === 'string' && value !== '') {
      const number = Number(value)
      if (!Number.isNaN(number) || value === 'NaN') return number
    }
    throw wrong(key, 'a number')
  }

  bytes(key: string): Uint8Array {
    // Uint8Array.from: a Buffer would share the pool's memory.
    return Uint8Array.from(Buffer.from(this.string(key), 'base64'))
  }

  /** Lower-case hex, or empty when it is not hex of this size. */
  id(key: string, sizeBytes: number): string {
    const text = this.string(key)
    return text.length === sizeBytes * 2 && hex.test(text) ? text.toLowerCase() : ''
  }

  list<T>(key: string, read: (reader: JsonReader) => T): T[] {
    const value = this.#get(key) ?? []
    if (!Array.isArray(value)) throw wrong(key, 'an array')
    return value.map((element) => read(new JsonReader(element, this.budget)))
  }

  child(key: string): JsonReader | undefined {
    const value = this.#get(key)
    return value === undefined ? undefined : new JsonReader(value, this.budget)
  }

  attributes(key = 'attributes', depth = 0): DecodedKeyValue[] {
    this.budget.checkDepth(depth)
    return this.list(key, (pair) => ({ key: pair.string('key'), value: pair.value('value', depth) }))
  }

  /** An AnyValue. */
  value(key: string, depth = 0): DecodedValue {
    const any = this.child(key)
    return any === undefined ? null : anyValue(any, depth)
  }

  resource(): DecodedResource {
    const resource = this.child('resource')
    return {
      attributes: resource?.attributes() ?? [],
      droppedAttributesCount: resource?.number('droppedAttributesCount') ?? 0,
    }
  }

  scope(): DecodedScope {
    const scope = this.child('scope')
    return {
      name: scope?.string('name') ?? '',
      version: scope?.string('version') ?? '',
      attributes: scope?.attributes() ?? [],
      droppedAttributesCount: scope?.number('droppedAttributesCount') ?? 0,
    }
  }

  /** Own properties only: a key like "constructor" must not find the prototype's. null is as good as absent. */
  #get(key: string): unknown {
    return Object.hasOwn(this.#object, key) ? (this.#object[key] ?? undefined) : undefined
  }
}

/** `input` is JSON text, or what JSON.parse made of it. Throws DecodeFault. */
export function jsonReader(input: unknown, limits: DecodeLimits): JsonReader {
  const budget = new DecodeBudget(limits, typeof input === 'string' ? input.length : 0)
  return new JsonReader(typeof input === 'string' ? parse(input) : input, budget)
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    // The parser's message quotes the input, which may be private and goes into answers and logs.
    throw new DecodeFault('malformed', 'not JSON')
  }
}

function anyValue(any: JsonReader, depth: number): DecodedValue {
  any.budget.checkDepth(depth)
  if (any.has('stringValue')) return any.string('stringValue')
  if (any.has('boolValue')) return any.boolean('boolValue')
  if (any.has('intValue')) return any.int64('intValue')
  if (any.has('doubleValue')) return any.double('doubleValue')
  if (any.has('bytesValue')) return any.bytes('bytesValue')
  const array = any.child('arrayValue')
  if (array !== undefined) return array.list('values', (element) => anyValue(element, depth + 1))
  const list = any.child('kvlistValue')
  return list === undefined ? null : { entries: list.attributes('values', depth + 1) }
}

const hex = /^[0-9a-f]*$/i
const decimal = /^[+-]?\d{1,20}$/

function integer(key: string, value: unknown): bigint {
  if (typeof value === 'string' && decimal.test(value)) return BigInt(value)
  if (typeof value === 'number' && Number.isInteger(value)) return BigInt(value)
  throw wrong(key, 'a 64-bit integer')
}

function wrong(key: string, expected: string): DecodeFault {
  return new DecodeFault('malformed', `${key} is not ${expected}`)
}
