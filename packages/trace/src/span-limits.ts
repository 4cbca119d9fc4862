import { invalidOption } from './trace-error.ts'

/** OpenTelemetry's span limits. https://opentelemetry.io/docs/specs/otel/trace/sdk/#span-limits */
export interface SpanLimits {
  /** Attributes per span. Default 128. */
  readonly attributeCountLimit?: number
  /** Characters of a string value, on spans, events and links alike. Default Infinity. */
  readonly attributeValueLengthLimit?: number
  /** Events per span; the oldest are dropped. Default 128. */
  readonly eventCountLimit?: number
  /** Links per span; the newest are dropped. Default 128. */
  readonly linkCountLimit?: number
  /** Default 128. */
  readonly attributePerEventCountLimit?: number
  /** Default 128. */
  readonly attributePerLinkCountLimit?: number
}

/** More than V8 lets a string or an array have, and still a small integer, which compares faster than Infinity. */
export const noLimit: number = 2 ** 30 - 1

/** Limits with every default filled in. Throws a TraceError for a value that is no whole number of 0 or more. */
export function resolveSpanLimits(limits: SpanLimits = {}): Required<SpanLimits> {
  return {
    attributeCountLimit: limit(limits, 'attributeCountLimit', 128),
    attributeValueLengthLimit: limit(limits, 'attributeValueLengthLimit', Number.POSITIVE_INFINITY),
    eventCountLimit: limit(limits, 'eventCountLimit', 128),
    linkCountLimit: limit(limits, 'linkCountLimit', 128),
    attributePerEventCountLimit: limit(limits, 'attributePerEventCountLimit', 128),
    attributePerLinkCountLimit: limit(limits, 'attributePerLinkCountLimit', 128),
  }
}

function limit(limits: SpanLimits, name: keyof SpanLimits, defaultValue: number): number {
  const value = limits[name] ?? defaultValue
  if (value === Number.POSITIVE_INFINITY || (Number.isSafeInteger(value) && value >= 0)) {
    return Math.min(value, noLimit)
  }
  throw invalidOption(`spanLimits.${name}`, value, 'a whole number of 0 or more, or Infinity')
}
