import { invalidValue, type ValueSource } from './config-error.ts'

/** The environment as initTracer reads it; `process.env` unless a test gives another. */
export type Environment = Readonly<Record<string, string | undefined>>

/** Reads one variable. Unset, empty and blank are the same, as OpenTelemetry's specification wants it. */
export function readText(env: Environment, key: string): string | undefined {
  const text = env[key]?.trim()
  return text === undefined || text === '' ? undefined : text
}

/** The first of several variables that is set, with its key: the signal's own before the general one. */
export function readFirst(
  env: Environment,
  keys: readonly string[],
): { key: string; text: string } | undefined {
  for (const key of keys) {
    const text = readText(env, key)
    if (text !== undefined) return { key, text }
  }
  return undefined
}

/** `true` or `false` in any case; OpenTelemetry reads everything else as false, we refuse it instead. */
export function readBoolean(env: Environment, key: string): boolean | undefined {
  const text = readText(env, key)
  if (text === undefined) return undefined
  const lower = text.toLowerCase()
  if (lower === 'true' || lower === 'false') return lower === 'true'
  throw invalidValue(environmentSource(key), text, 'true, false')
}

/** A whole number from `min` up, e.g. milliseconds or a count. */
export function readWholeNumber(env: Environment, key: string, min = 0): number | undefined {
  const text = readText(env, key)
  if (text === undefined) return undefined
  const value = /^\d{1,15}$/.test(text) ? Number(text) : Number.NaN
  if (value >= min) return value
  throw invalidValue(environmentSource(key), text, `a whole number of at least ${min}`)
}

export function readChoice<Choice extends string>(
  env: Environment,
  keys: readonly string[],
  choices: readonly Choice[],
): Choice | undefined {
  const found = readFirst(env, keys)
  if (found === undefined) return undefined
  const choice = choices.find((candidate) => candidate === found.text.toLowerCase())
  if (choice !== undefined) return choice
  throw invalidValue(environmentSource(found.key), found.text, choices.join(', '))
}

export function environmentSource(key: string): ValueSource {
  return { code: 'invalid_environment', key }
}

/**
 * `key=value,key=value` with percent-encoded values: OTEL_RESOURCE_ATTRIBUTES and OTEL_EXPORTER_OTLP_HEADERS.
 * https://opentelemetry.io/docs/specs/otel/resource/sdk/#specifying-resource-information-via-an-environment-variable
 */
export function readPairs(env: Environment, keys: readonly string[]): Record<string, string> | undefined {
  const found = readFirst(env, keys)
  if (found === undefined) return undefined
  const pairs: Record<string, string> = {}
  for (const part of found.text.split(',')) {
    if (part.trim() === '') continue
    const equals = part.indexOf('=')
    const key = part.slice(0, Math.max(0, equals)).trim()
    const value = decodePercent(part.slice(equals + 1).trim())
    // The value is not repeated in the message: a header may hold a secret.
    if (equals < 0 || key === '' || value === undefined)
      throw invalidValue(
        environmentSource(found.key),
        equals < 0 ? '(an entry without "=")' : `${key}=…`,
        'key=value pairs, separated by commas, values percent-encoded',
      )
    pairs[key] = value
  }
  return pairs
}

function decodePercent(text: string): string | undefined {
  try {
    return decodeURIComponent(text)
  } catch {
    return undefined
  }
}
