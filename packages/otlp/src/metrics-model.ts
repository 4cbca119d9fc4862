import type { DecodedKeyValue, DecodedResource, DecodedScope } from './model.ts'

export interface MetricsData {
  readonly resourceMetrics: readonly DecodedResourceMetrics[]
}

export interface DecodedResourceMetrics {
  readonly resource: DecodedResource
  readonly schemaUrl: string
  readonly scopeMetrics: readonly DecodedScopeMetrics[]
}

export interface DecodedScopeMetrics {
  readonly scope: DecodedScope
  readonly schemaUrl: string
  readonly metrics: readonly DecodedMetric[]
}

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

export interface DecodedHistogramDataPoint extends DecodedDataPoint {
  readonly count: bigint
  readonly sum: number | undefined
  readonly min: number | undefined
  readonly max: number | undefined
  readonly bucketCounts: readonly bigint[]
  readonly explicitBounds: readonly number[]
  readonly exemplars: readonly DecodedExemplar[]
}

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

export interface DecodedBuckets {
  readonly offset: number
  readonly bucketCounts: readonly bigint[]
}

export interface DecodedSummaryDataPoint extends DecodedDataPoint {
  readonly count: bigint
  readonly sum: number
  readonly quantileValues: readonly DecodedQuantile[]
}

export interface DecodedQuantile {
  readonly quantile: number
  readonly value: number
}

export interface DecodedExemplar {
  readonly filteredAttributes: readonly DecodedKeyValue[]
  readonly timeUnixNano: bigint
  readonly value: number | bigint | undefined
  readonly spanId: string
  readonly traceId: string
}
