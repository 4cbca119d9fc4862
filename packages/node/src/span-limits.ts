import type { SpanLimits } from '@throughline/trace'
import { type Environment, readWholeNumber } from './environment.ts'

/**
 * OTEL_SPAN_*_LIMIT, and OTEL_ATTRIBUTE_*_LIMIT where the span's own variable says nothing. Unset ones are left out, so
 * that the tracer's defaults hold.
 * https://opentelemetry.io/docs/specs/otel/configuration/sdk-environment-variables/#span-limits
 */
export function spanLimitsFromEnvironment(env: Environment): SpanLimits {
  const limits = {
    attributeCountLimit:
      readWholeNumber(env, 'OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT') ??
      readWholeNumber(env, 'OTEL_ATTRIBUTE_COUNT_LIMIT'),
    attributeValueLengthLimit:
      readWholeNumber(env, 'OTEL_SPAN_ATTRIBUTE_VALUE_LENGTH_LIMIT') ??
      readWholeNumber(env, 'OTEL_ATTRIBUTE_VALUE_LENGTH_LIMIT'),
    eventCountLimit: readWholeNumber(env, 'OTEL_SPAN_EVENT_COUNT_LIMIT'),
    linkCountLimit: readWholeNumber(env, 'OTEL_SPAN_LINK_COUNT_LIMIT'),
    attributePerEventCountLimit: readWholeNumber(env, 'OTEL_EVENT_ATTRIBUTE_COUNT_LIMIT'),
    attributePerLinkCountLimit: readWholeNumber(env, 'OTEL_LINK_ATTRIBUTE_COUNT_LIMIT'),
  }
  return Object.fromEntries(Object.entries(limits).filter(([, value]) => value !== undefined))
}
