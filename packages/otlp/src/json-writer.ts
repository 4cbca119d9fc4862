import { Buffer } from 'node:buffer'
import type { DecodedKeyValue, DecodedResource, DecodedScope, DecodedValue } from './model.ts'

/** A JSON value; undefined fields are left out by JSON.stringify. */
export type Json = string | number | boolean | undefined | readonly Json[] | { readonly [key: string]: Json }

export function resourceJson(resource: DecodedResource): Json {
  return {
    attributes: attributesJson(resource.attributes),
    droppedAttributesCount: orAbsent(resource.droppedAttributesCount),
  }
}

export function scopeJson(scope: DecodedScope): Json {
  return {
    name: orAbsent(scope.name),
    version: orAbsent(scope.version),
    attributes: attributesJson(scope.attributes),
    droppedAttributesCount: orAbsent(scope.droppedAttributesCount),
  }
}

/** Left out when there are none. */
export function attributesJson(attributes: readonly DecodedKeyValue[]): Json {
  return attributes.length === 0 ? undefined : pairs(attributes)
}

export function valueJson(value: DecodedValue): Json {
  switch (typeof value) {
    case 'string':
      return { stringValue: value }
    case 'boolean':
      return { boolValue: value }
    case 'bigint':
      return { intValue: String(value) }
    case 'number':
      return numberJson(value)
    default:
      return value === null ? {} : objectJson(value)
  }
}

export function orAbsent<T extends string | number>(value: T): T | undefined {
  return value === '' || value === 0 ? undefined : value
}

function pairs(attributes: readonly DecodedKeyValue[]): Json {
  return attributes.map(({ key, value }) => ({ key, value: valueJson(value) }))
}

function numberJson(value: number): Json {
  if (Number.isSafeInteger(value) && !Object.is(value, -0)) return { intValue: String(value) }
  // JSON has no NaN, no Infinity and (in JavaScript's writer) no -0: protobuf's JSON mapping writes them as text.
  if (Number.isFinite(value) && value !== 0) return { doubleValue: value }
  return { doubleValue: value === 0 ? '-0' : String(value) }
}

function objectJson(value: Exclude<DecodedValue & object, null>): Json {
  if (value instanceof Uint8Array) return { bytesValue: Buffer.from(value).toString('base64') }
  if ('entries' in value && !Array.isArray(value)) {
    return { kvlistValue: { values: pairs((value as { entries: readonly DecodedKeyValue[] }).entries) } }
  }
  return { arrayValue: { values: (value as readonly DecodedValue[]).map(valueJson) } }
}
