import { anything, integer, type JsonSchema, object, oneOf, string } from './schema.ts'

export const errorBody: JsonSchema = object(
  { error: string, 'details?': string, 'code?': { type: 'integer' } },
  'What went wrong.',
)

export const labels: JsonSchema = { type: 'object', additionalProperties: string }

export const loadAverage: JsonSchema = object({
  '1min': { type: 'number' },
  '5min': { type: 'number' },
  '15min': { type: 'number' },
})

const bytes: JsonSchema = { type: 'number', minimum: 0, description: 'Bytes.' }

export const memory: JsonSchema = object(
  { total: bytes, free: bytes, used: bytes, 'available?': bytes, 'cached?': bytes },
  '`used` is total minus available.',
)

export const disk: JsonSchema = object({ name: string, total: bytes, used: bytes, free: bytes }, 'One mount.')

export const osInfo: JsonSchema = object({ distribution: string, version: string })

export const target: JsonSchema = {
  type: 'string',
  minLength: 1,
  maxLength: 253,
  pattern: '^[a-zA-Z0-9_.:-]+$',
  description: '`_any`, `_all`, a hostname or machine id, or a label `key:value`.',
}

export const targetWithDefault: JsonSchema = { ...target, default: '_any' }

export const operation: JsonSchema = {
  ...object({
    type: { type: 'string', maxLength: 128, pattern: '^[a-z0-9_]+(\\.[a-z0-9_]+)+$' },
    'data?': anything,
  }),
  description: 'What a worker does, e.g. `node.hostname.get`, and its input.',
}

export const timelineEvent: JsonSchema = object({
  timestamp: string,
  event: string,
  hostname: string,
  message: string,
  'error?': string,
})

export const resultStatus: JsonSchema = oneOf('ok', 'failed', 'skipped')

export const pageLimit = (fallback: number): JsonSchema => integer(1, 100, fallback)
export const pageOffset: JsonSchema = { type: 'integer', minimum: 0, default: 0 }
