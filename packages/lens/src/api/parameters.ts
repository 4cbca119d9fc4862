import { limits } from '../limits.ts'
import type { SpanState } from '../model.ts'
import type { TraceFilter } from '../store.ts'

/** A parameter that is not allowed, as the answer to the client names it. */
export class ParameterError extends Error {
  readonly parameter: string
  readonly value: string
  readonly allowed: string

  constructor(fault: { readonly parameter: string; readonly value: unknown; readonly allowed: string }) {
    const value = shorten(typeof fault.value === 'string' ? fault.value : (JSON.stringify(fault.value) ?? ''))
    super(`${fault.parameter} is "${value}"; allowed: ${fault.allowed}`)
    this.parameter = fault.parameter
    this.value = value
    this.allowed = fault.allowed
  }
}

const valueLengthMax = 200

const shorten = (text: string): string =>
  text.length > valueLengthMax ? `${text.slice(0, valueLengthMax)}…` : text

type Query = Readonly<Record<string, unknown>>

export function parseTraceFilter(query: Query): TraceFilter {
  allowOnly(query, ['service', 'error', 'minDurationMs', 'state', 'limit'])
  const service = textParameter(query, 'service')
  const durationMsMin = numberParameter(query, { name: 'minDurationMs', max: 1e12, whole: false })
  const state = stateParameter(query)
  return {
    ...(service !== undefined && { service }),
    ...(state !== undefined && { state }),
    ...(durationMsMin !== undefined && { durationMsMin }),
    errorsOnly: booleanParameter(query, 'error') ?? false,
    limit: numberParameter(query, { name: 'limit', min: 1, max: limits.tracesLimitMax, whole: true }) ?? 100,
  }
}

/** `compact` is the form that the page reads, always without details. */
export function parseTraceForm(query: Query): { readonly details: boolean; readonly compact: boolean } {
  allowOnly(query, ['details', 'compact'])
  const compact = booleanParameter(query, 'compact') ?? false
  return { compact, details: booleanParameter(query, 'details') ?? !compact }
}

/** Upper case is accepted and made lower, since people paste ids from everywhere; all zeros is no id. */
export function parseId(parameter: 'traceId' | 'spanId', value: string): string {
  const digits = parameter === 'traceId' ? 32 : 16
  const id = value.toLowerCase()
  if (id.length !== digits || !/^[0-9a-f]+$/.test(id) || /^0+$/.test(id))
    throw new ParameterError({ parameter, value, allowed: `${digits} hexadecimal digits, not all zero` })
  return id
}

function allowOnly(query: Query, names: readonly string[]): void {
  for (const [parameter, value] of Object.entries(query))
    if (!names.includes(parameter))
      throw new ParameterError({ parameter: shorten(parameter), value, allowed: `only ${names.join(', ')}` })
}

function textParameter(query: Query, name: string): string | undefined {
  const value = query[name]
  if (value === undefined || value === '') return undefined
  if (typeof value === 'string') return value
  throw new ParameterError({ parameter: name, value, allowed: 'one value' })
}

function stateParameter(query: Query): SpanState | undefined {
  const value = textParameter(query, 'state')
  if (value === undefined || value === 'pending' || value === 'interrupted') return value
  throw new ParameterError({ parameter: 'state', value, allowed: 'pending, interrupted' })
}

function booleanParameter(query: Query, name: string): boolean | undefined {
  const value = textParameter(query, name)
  if (value === undefined) return undefined
  if (value === 'true' || value === 'false') return value === 'true'
  throw new ParameterError({ parameter: name, value, allowed: 'true, false' })
}

function numberParameter(
  query: Query,
  rule: { readonly name: string; readonly min?: number; readonly max: number; readonly whole: boolean },
): number | undefined {
  const value = textParameter(query, rule.name)
  if (value === undefined) return undefined
  const { min = 0, max, whole } = rule
  const number = /^\d+(\.\d+)?$/.test(value) ? Number(value) : Number.NaN
  if (number >= min && number <= max && (!whole || Number.isInteger(number))) return number
  const allowed = `a ${whole ? 'whole ' : ''}number from ${min} to ${max}`
  throw new ParameterError({ parameter: rule.name, value, allowed })
}
