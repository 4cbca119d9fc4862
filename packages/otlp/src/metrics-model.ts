import type { DecodedKeyValue, DecodedResource, DecodedScope } from './model.ts'

/** A request with metrics: `ExportMetricsServiceRequest`, `MetricsData`. */
export interface MetricsData {
  readonly resourceMetrics: readonly DecodedResourceMetrics[]
}

/** The metrics of one resource. */
export interface DecodedResourceMetrics {
  readonly resource: DecodedResource
  readonly schemaUrl: string
  readonly scopeMetrics: readonly DecodedScopeMetrics[]
}

/** The metrics of one instrumentation scope. */
export interface DecodedScopeMetrics {
  readonly scope: DecodedScope
  readonly schemaUrl: string
  readonly metrics: readonly DecodedMetric[]
}

/** A metric with its data points. */
export interface DecodedMetric {
  readonly name: string
  readonly description: string
  readonly unit: string
  readonly metadata: readonly DecodedKeyValue[]
  readonly data: DecodedMetricData
}

/** 'none': the sender set no data, or one of a kind that this version does not know. */
export type DecodedMetricData =
  | { readonly type: 'none' }
  | { readonly type: 'gauge'; readonly dataPoints: readonly DecodedNumberDataPoint[] }
  | {
      readonly type: 'sum'
      readonly dataPoints: readonly DecodedNumberDataPoint[]
      readonly aggregationTemporality: number
      readonly isMonotonic: boolean
    }
  | {
      readonly type: 'histogram'
      readonly dataPoints: readonly DecodedHistogramDataPoint[]
      readonly aggregationTemporality: number
    }
  | {
      readonly type: 'exponentialHistogram'
      readonly dataPoints: readonly DecodedExponentialHistogramDataPoint[]
      readonly aggregationTemporality: number
    }
  | { readonly type: 'summary'; readonly dataPoints: readonly DecodedSummaryDataPoint[] }

/** What the points of every metric have. Bit 0 of `flags`: no value was recorded. */
export interface DecodedDataPoint {
  readonly attributes: readonly DecodedKeyValue[]
  readonly startTimeUnixNano: bigint
  readonly timeUnixNano: bigint
  readonly flags: number
}

/** `value` is a bigint for an integer point, a number for a double, undefined when none was recorded. */
export interface DecodedNumberDataPoint extends DecodedDataPoint {
  readonly value: number | bigint | undefined
  readonly exemplars: readonly DecodedExemplar[]
}

/** A point of a histogram: `bucketCounts` has one entry more than `explicitBounds`, or both are empty. */
export interface DecodedHistogramDataPoint extends DecodedDataPoint {
  readonly count: bigint
  readonly sum: number | undefined
  readonly min: number | undefined
  readonly max: number | undefined
  readonly bucketCounts: readonly bigint[]
  readonly explicitBounds: readonly number[]
  readonly exemplars: readonly DecodedExemplar[]
}

/** A point of a histogram whose bucket bounds are powers of 2^(2^-scale). */
export interface DecodedExponentialHistogramDataPoint extends DecodedDataPoint {
  readonly count: bigint
  readonly sum: number | undefined
  readonly min: number | undefined
  readonly max: number | undefined
  readonly scale: number
  readonly zeroCount: bigint
  readonly zeroThreshold: number
  readonly positive: DecodedBuckets
  readonly negative: DecodedBuckets
  readonly exemplars: readonly DecodedExemplar[]
}

/** Consecutive buckets of an exponential histogram; `offset` is the index of the first. */
export interface DecodedBuckets {
  readonly offset: number
  readonly bucketCounts: readonly bigint[]
}

/** A point of a summary. */
export interface DecodedSummaryDataPoint extends DecodedDataPoint {
  readonly count: bigint
  readonly sum: number
  readonly quantileValues: readonly DecodedQuantile[]
}

/** The value at a quantile from 0 to 1. */
export interface DecodedQuantile {
  readonly quantile: number
  readonly value: number
}

/** A measurement that went into a point, with the span in which it was made. */
export interface DecodedExemplar {
  readonly filteredAttributes: readonly DecodedKeyValue[]
  readonly timeUnixNano: bigint
  readonly value: number | bigint | undefined
  readonly spanId: string
  readonly traceId: string
}
