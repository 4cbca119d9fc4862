/** A JSON Schema (2020-12, which is what OpenAPI 3.1 speaks) as plain data. */
export interface JsonSchema {
  readonly [keyword: string]: unknown
}

/** An object of exactly these properties. A name that ends in `?` is optional. */
export function object(properties: Readonly<Record<string, JsonSchema>>, description?: string): JsonSchema {
  const names = Object.keys(properties)
  const required = names.filter((name) => !name.endsWith('?'))
  return {
    type: 'object',
    ...(description !== undefined && { description }),
    properties: Object.fromEntries(names.map((name) => [name.replace(/\?$/u, ''), properties[name]])),
    ...(required.length > 0 && { required }),
    additionalProperties: false,
  }
}

/** The same for what clients send: unknown properties are ignored, as they always were. */
export function input(properties: Readonly<Record<string, JsonSchema>>, description?: string): JsonSchema {
  return { ...object(properties, description), additionalProperties: true }
}

export function list(items: JsonSchema, limits: JsonSchema = {}): JsonSchema {
  return { type: 'array', items, ...limits }
}

export function mapOf(values: JsonSchema): JsonSchema {
  return { type: 'object', additionalProperties: values }
}

export const string: JsonSchema = { type: 'string' }
export const text: JsonSchema = { type: 'string', minLength: 1, maxLength: 4096 }
export const boolean: JsonSchema = { type: 'boolean' }
export const number: JsonSchema = { type: 'number' }
export const count: JsonSchema = { type: 'integer', minimum: 0 }
export const anything: JsonSchema = {}
export const uuid: JsonSchema = { type: 'string', format: 'uuid' }
export const time: JsonSchema = { type: 'string', format: 'date-time' }

export function oneOf(...values: readonly string[]): JsonSchema {
  return { type: 'string', enum: values }
}

/** An integer from `minimum` to `maximum`, with a default when it is left out. */
export function integer(minimum: number, maximum: number, fallback: number): JsonSchema {
  return { type: 'integer', minimum, maximum, default: fallback }
}
