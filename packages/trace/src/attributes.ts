import type { Attributes } from '@opentelemetry/api'
import type { AttributeValue, FlatAttributes } from './records.ts'

/** The list that an attribute list is before it is handed out as {@link FlatAttributes}. */
export type MutableFlatAttributes = (string | AttributeValue)[]

export interface AttributeLimits {
  readonly countMax: number
  readonly valueLengthMax: number
}

/**
 * The value to store, or undefined when OpenTelemetry's rules refuse it. Arrays are copied: the caller may go on using
 * his. https://opentelemetry.io/docs/specs/otel/common/#attribute
 */
export function acceptValue(value: unknown, valueLengthMax: number): AttributeValue | undefined {
  switch (typeof value) {
    case 'string':
      return value.length > valueLengthMax ? value.slice(0, valueLengthMax) : value
    case 'number':
    case 'boolean':
      return value
    default:
      return Array.isArray(value) ? acceptArray(value, valueLengthMax) : undefined
  }
}

/** Index of a key in a flat list; -1 when it is not there. */
export function indexOfKey(attributes: FlatAttributes, key: string): number {
  for (let index = 0; index < attributes.length; index += 2) {
    if (attributes[index] === key) return index
  }
  return -1
}

/**
 * Copies accepted attributes of an object into a new flat list. Refused ones are left out silently (an event or link
 * has nobody to tell); those beyond the count are counted.
 */
export function flattenAttributes(
  attributes: Attributes | undefined,
  limits: AttributeLimits,
): { readonly flat: FlatAttributes; readonly droppedCount: number } {
  if (attributes === undefined || attributes === null) return noAttributes
  const flat: MutableFlatAttributes = []
  let droppedCount = 0
  for (const key of Object.keys(attributes)) {
    const value = acceptValue(attributes[key], limits.valueLengthMax)
    if (value === undefined || key === '') continue
    if (flat.length >= limits.countMax * 2) droppedCount += 1
    else flat.push(key, value)
  }
  return { flat, droppedCount }
}

const noAttributes = { flat: [], droppedCount: 0 } as const

/** The object form of flat lists; of a key that is there twice the last value counts. */
export function attributesToObject(...lists: readonly FlatAttributes[]): Attributes {
  const attributes: Attributes = {}
  for (const list of lists) {
    for (let index = 0; index < list.length; index += 2) {
      // Even indexes hold keys, odd ones values that acceptValue has let in.
      attributes[list[index] as string] = list[index + 1] as NonNullable<Attributes[string]>
    }
  }
  return attributes
}

function acceptArray(values: readonly unknown[], valueLengthMax: number): AttributeValue | undefined {
  let type: string | undefined
  for (const value of values) {
    if (value === null || value === undefined) continue
    type ??= typeof value
    if (typeof value !== type || (type !== 'string' && type !== 'number' && type !== 'boolean'))
      return undefined
  }
  if (type !== 'string') return values.slice() as (number | null | undefined)[]
  const texts = values as readonly (string | null | undefined)[]
  return texts.map((text) => (text && text.length > valueLengthMax ? text.slice(0, valueLengthMax) : text))
}
