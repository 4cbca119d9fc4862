import type { MetricsData } from '@throughline/otlp'
import type { IngestBatch } from './ingest.ts'

/** Lens keeps no metrics. Each data point is counted as refused, so that the answer tells how much was not kept. */
export function refuseMetrics(data: MetricsData): IngestBatch {
  let count = 0
  for (const { scopeMetrics } of data.resourceMetrics)
    for (const { metrics } of scopeMetrics)
      for (const { data } of metrics) count += data.type === 'none' ? 0 : data.dataPoints.length
  return refused(count)
}

/** Likewise for JSON, of which only as much is read as it takes to count. */
export function refuseMetricsJson(text: string): IngestBatch | { readonly error: string } {
  let data: unknown
  try {
    data = JSON.parse(text)
  } catch {
    return { error: 'the request is not OTLP: not JSON' }
  }
  let count = 0
  for (const resourceMetrics of arrayIn(data, 'resourceMetrics'))
    for (const scopeMetrics of arrayIn(resourceMetrics, 'scopeMetrics'))
      for (const metric of arrayIn(scopeMetrics, 'metrics'))
        for (const kind of metricKinds) count += arrayIn(fieldOf(metric, kind), 'dataPoints').length
  return refused(count)
}

const metricKinds = ['gauge', 'sum', 'histogram', 'exponentialHistogram', 'summary']

const refused = (count: number): IngestBatch => ({
  signal: 'metrics',
  spans: [],
  logs: [],
  rejectedCount: count,
  rejectReason: `Lens keeps traces and logs only; ${count} metric data points were not kept`,
})

function fieldOf(value: unknown, key: string): unknown {
  return typeof value === 'object' && value !== null ? (value as Record<string, unknown>)[key] : undefined
}

function arrayIn(value: unknown, key: string): readonly unknown[] {
  const field = fieldOf(value, key)
  return Array.isArray(field) ? field : []
}
