import type { Attributes, Context, Link, SpanKind, TraceState } from '@opentelemetry/api'

/** OpenTelemetry's decisions. */
export const SamplingDecision = { NOT_RECORD: 0, RECORD: 1, RECORD_AND_SAMPLED: 2 } as const
/** One of OpenTelemetry's decisions. */
export type SamplingDecision = (typeof SamplingDecision)[keyof typeof SamplingDecision]

/** What a sampler answers. */
export interface SamplingResult {
  readonly decision: SamplingDecision
  /** Added to the span's attributes. */
  readonly attributes?: Readonly<Attributes>
  /** Replaces the tracestate inherited from the parent. */
  readonly traceState?: TraceState
}

/**
 * OpenTelemetry's sampler. It is called on the host's thread for every span, MUST be fast and SHOULD not throw (a span
 * whose sampler throws is not recorded). https://opentelemetry.io/docs/specs/otel/trace/sdk/#sampler
 */
export interface Sampler {
  shouldSample(
    context: Context,
    traceId: string,
    spanName: string,
    spanKind: SpanKind,
    attributes: Attributes,
    links: Link[],
  ): SamplingResult
  toString(): string
}
