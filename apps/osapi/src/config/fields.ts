import { z } from 'zod'
import { parseDuration } from './duration.ts'

// Leaves take the YAML type and also its text, since the environment and the flags only have text.

/** A duration, given as Go-style text; the parsed value is in milliseconds. */
export function duration(fallback: string): z.ZodDefault<z.ZodType<number>> {
  const field: z.ZodType<number> = z.unknown().transform((value, context) => {
    const ms = typeof value === 'string' ? parseDuration(value.trim()) : undefined
    if (ms !== undefined) return ms
    context.addIssue({ code: 'custom', message: 'a duration such as 30s, 2m, 1h30m or 7d' })
    return z.NEVER
  })
  return field.default(parseDuration(fallback) ?? 0)
}

/** A list of durations, as a YAML list or as `30s,2m`. */
export function durations(fallback: readonly string[]): z.ZodDefault<z.ZodType<readonly number[]>> {
  const field: z.ZodType<readonly number[]> = z.unknown().transform((value, context) => {
    const parsed = texts(value)?.map((item) => parseDuration(item))
    if (parsed?.every((ms) => ms !== undefined)) return parsed
    context.addIssue({ code: 'custom', message: 'a list of durations such as [30s, 2m, 5m]' })
    return z.NEVER
  })
  return field.default(fallback.map((item) => parseDuration(item) ?? 0))
}

export function integer(
  fallback: number,
  limits: { readonly min: number; readonly max: number },
): z.ZodDefault<z.ZodType<number>> {
  const field: z.ZodType<number> = z.unknown().transform((value, context) => {
    const number = typeof value === 'string' && value.trim() !== '' ? Number(value) : value
    if (typeof number === 'number' && Number.isInteger(number)) {
      if (number >= limits.min && number <= limits.max) return number
    }
    context.addIssue({ code: 'custom', message: `an integer from ${limits.min} to ${limits.max}` })
    return z.NEVER
  })
  return field.default(fallback)
}

export function port(fallback: number): z.ZodDefault<z.ZodType<number>> {
  return integer(fallback, { min: 1, max: 65_535 })
}

/** A port where 0 asks the system for a free one. */
export function listenPort(fallback: number): z.ZodDefault<z.ZodType<number>> {
  return integer(fallback, { min: 0, max: 65_535 })
}

export function decimal(
  fallback: number,
  limits: { readonly min: number; readonly max: number },
): z.ZodDefault<z.ZodType<number>> {
  const field: z.ZodType<number> = z.unknown().transform((value, context) => {
    const number = typeof value === 'string' && value.trim() !== '' ? Number(value) : value
    if (typeof number === 'number' && number >= limits.min && number <= limits.max) return number
    context.addIssue({ code: 'custom', message: `a number from ${limits.min} to ${limits.max}` })
    return z.NEVER
  })
  return field.default(fallback)
}

export function boolean(fallback: boolean): z.ZodDefault<z.ZodType<boolean>> {
  const field: z.ZodType<boolean> = z.unknown().transform((value, context) => {
    const text = String(value).trim().toLowerCase()
    if (text === 'true' || text === '1') return true
    if (text === 'false' || text === '0') return false
    context.addIssue({ code: 'custom', message: 'true or false' })
    return z.NEVER
  })
  return field.default(fallback)
}

export function text(fallback: string): z.ZodDefault<z.ZodType<string>> {
  const field: z.ZodType<string> = z.unknown().transform((value, context) => {
    if (typeof value === 'string') return value
    if (typeof value === 'number' || typeof value === 'boolean') return String(value)
    context.addIssue({ code: 'custom', message: 'text' })
    return z.NEVER
  })
  return field.default(fallback)
}

/** One of a few words, compared without case. */
export function word<T extends string>(allowed: readonly T[], fallback: T): z.ZodDefault<z.ZodType<T>> {
  const field: z.ZodType<T> = z.unknown().transform((value, context) => {
    const found = allowed.find((item) => item === String(value).trim().toLowerCase())
    if (found !== undefined) return found
    context.addIssue({ code: 'custom', message: `one of ${allowed.join(', ')}` })
    return z.NEVER
  })
  return field.default(fallback as never)
}

/** A list of texts, as a YAML list or as `a,b`. */
export function list(): z.ZodDefault<z.ZodType<readonly string[]>> {
  const field: z.ZodType<readonly string[]> = z.unknown().transform((value, context) => {
    const items = texts(value)
    if (items !== undefined) return items
    context.addIssue({ code: 'custom', message: 'a list of texts' })
    return z.NEVER
  })
  return field.default([])
}

/** A map of texts, as a YAML map or as `key=value,key2=value2`. */
export function map(): z.ZodDefault<z.ZodType<Readonly<Record<string, string>>>> {
  const field: z.ZodType<Readonly<Record<string, string>>> = z.unknown().transform((value, context) => {
    const entries = pairs(value)
    if (entries !== undefined) return Object.fromEntries(entries)
    context.addIssue({ code: 'custom', message: 'a map of texts' })
    return z.NEVER
  })
  return field.default({})
}

function texts(value: unknown): readonly string[] | undefined {
  if (typeof value === 'string') {
    return value
      .split(',')
      .map((item) => item.trim())
      .filter((item) => item !== '')
  }
  if (!Array.isArray(value)) return undefined
  return value.every((item) => typeof item === 'string') ? value : undefined
}

function pairs(value: unknown): readonly (readonly [string, string])[] | undefined {
  if (typeof value === 'string') {
    const items = texts(value) ?? []
    const split = items.map((item) => [item.split('=')[0] ?? '', item.slice(item.indexOf('=') + 1)] as const)
    return items.every((item) => item.includes('=')) ? split : undefined
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return undefined
  const entries = Object.entries(value).map(([key, item]) => [key, String(item)] as const)
  return Object.values(value).every((item) => typeof item !== 'object') ? entries : undefined
}
