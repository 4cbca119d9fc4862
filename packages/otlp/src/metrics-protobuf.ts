import type { Decoded, DecodeLimits } from './decode.ts'
import type {
  DecodedBuckets,
  DecodedExemplar,
  DecodedExponentialHistogramDataPoint,
  DecodedHistogramDataPoint,
  DecodedMetric,
  DecodedMetricData,
  DecodedNumberDataPoint,
  DecodedQuantile,
  DecodedResourceMetrics,
  DecodedScopeMetrics,
  DecodedSummaryDataPoint,
  MetricsData,
} from './metrics-model.ts'
import type { DecodedKeyValue } from './model.ts'
import { emptyResource, emptyScope, readKeyValue, readResource, readScope } from './protobuf-common.ts'
import { decodeMessage, type WireReader } from './wire-reader.ts'

/** Decodes a protobuf `ExportMetricsServiceRequest` (`MetricsData` has the same bytes). Never throws. */
export function decodeMetrics(bytes: Uint8Array, limits: DecodeLimits = {}): Decoded<MetricsData> {
  return decodeMessage(bytes, limits, (reader) => {
    const resourceMetrics: DecodedResourceMetrics[] = []
    while (reader.more()) {
      const tag = reader.tag()
      if (tag === 0x0a) resourceMetrics.push(reader.message(readResourceMetrics))
      else reader.skip(tag)
    }
    return { resourceMetrics }
  })
}

function readResourceMetrics(reader: WireReader): DecodedResourceMetrics {
  const scopeMetrics: DecodedScopeMetrics[] = []
  let resource = emptyResource
  let schemaUrl = ''
  while (reader.more()) {
    const tag = reader.tag()
    if (tag === 0x0a) resource = reader.message(readResource)
    else if (tag === 0x12) scopeMetrics.push(reader.message(readScopeMetrics))
    else if (tag === 0x1a) schemaUrl = reader.string()
    else reader.skip(tag)
  }
  return { resource, schemaUrl, scopeMetrics }
}

function readScopeMetrics(reader: WireReader): DecodedScopeMetrics {
  const metrics: DecodedMetric[] = []
  let scope = emptyScope
  let schemaUrl = ''
  while (reader.more()) {
    const tag = reader.tag()
    if (tag === 0x0a) scope = reader.message(readScope)
    else if (tag === 0x12) metrics.push(reader.message(readMetric))
    else if (tag === 0x1a) schemaUrl = reader.string()
    else reader.skip(tag)
  }
  return { scope, schemaUrl, metrics }
}

function readMetric(reader: WireReader): DecodedMetric {
  const metadata: DecodedKeyValue[] = []
  let name = ''
  let description = ''
  let unit = ''
  let data: DecodedMetricData = { type: 'none' }
  while (reader.more()) {
    const tag = reader.tag()
    if (tag === 0x0a) name = reader.string()
    else if (tag === 0x12) description = reader.string()
    else if (tag === 0x1a) unit = reader.string()
    else if (tag === 0x62) metadata.push(readKeyValue(reader))
    else if (tag === 0x2a) data = { type: 'gauge', dataPoints: series(reader, readNumberPoint).dataPoints }
    else if (tag === 0x3a) data = { type: 'sum', ...series(reader, readNumberPoint) }
    else if (tag === 0x4a) data = { type: 'histogram', ...points(series(reader, readHistogramPoint)) }
    else if (tag === 0x52)
      data = { type: 'exponentialHistogram', ...points(series(reader, readExponentialPoint)) }
    else if (tag === 0x5a) data = { type: 'summary', dataPoints: series(reader, readSummaryPoint).dataPoints }
    else reader.skip(tag)
  }
  return { name, description, unit, metadata, data }
}

interface Series<T> {
  readonly dataPoints: readonly T[]
  readonly aggregationTemporality: number
  readonly isMonotonic: boolean
}

/** Gauge, Sum, Histogram, ExponentialHistogram and Summary share their field numbers; Sum has all of them. */
function series<T>(reader: WireReader, readPoint: (reader: WireReader) => T): Series<T> {
  return reader.message(() => {
    const dataPoints: T[] = []
    let aggregationTemporality = 0
    let isMonotonic = false
    while (reader.more()) {
      const tag = reader.tag()
      if (tag === 0x0a) dataPoints.push(reader.message(readPoint))
      else if (tag === 0x10) aggregationTemporality = reader.int32()
      else if (tag === 0x18) isMonotonic = reader.bool()
      else reader.skip(tag)
    }
    return { dataPoints, aggregationTemporality, isMonotonic }
  })
}

function points<T>(all: Series<T>): Omit<Series<T>, 'isMonotonic'> {
  return { dataPoints: all.dataPoints, aggregationTemporality: all.aggregationTemporality }
}

type Draft<T> = { -readonly [K in keyof T]: T[K] }

function readNumberPoint(reader: WireReader): DecodedNumberDataPoint {
  const attributes: DecodedKeyValue[] = []
  const exemplars: DecodedExemplar[] = []
  const point: Draft<DecodedNumberDataPoint> = {
    attributes,
    startTimeUnixNano: 0n,
    timeUnixNano: 0n,
    flags: 0,
    value: undefined,
    exemplars,
  }
  while (reader.more()) {
    const tag = reader.tag()
    if (tag === 0x3a) attributes.push(readKeyValue(reader))
    else if (tag === 0x11) point.startTimeUnixNano = reader.fixed64()
    else if (tag === 0x19) point.timeUnixNano = reader.fixed64()
    else if (tag === 0x21) point.value = reader.double()
    else if (tag === 0x31) point.value = reader.sfixed64()
    else if (tag === 0x2a) exemplars.push(reader.message(readExemplar))
    else if (tag === 0x40) point.flags = reader.uint32()
    else reader.skip(tag)
  }
  return point
}

function readHistogramPoint(reader: WireReader): DecodedHistogramDataPoint {
  const attributes: DecodedKeyValue[] = []
  const exemplars: DecodedExemplar[] = []
  const bucketCounts: bigint[] = []
  const explicitBounds: number[] = []
  const point: Draft<DecodedHistogramDataPoint> = {
    attributes,
    startTimeUnixNano: 0n,
    timeUnixNano: 0n,
    flags: 0,
    count: 0n,
    sum: undefined,
    min: undefined,
    max: undefined,
    bucketCounts,
    explicitBounds,
    exemplars,
  }
  while (reader.more()) {
    const tag = reader.tag()
    if (tag === 0x4a) attributes.push(readKeyValue(reader))
    else if (tag === 0x11) point.startTimeUnixNano = reader.fixed64()
    else if (tag === 0x19) point.timeUnixNano = reader.fixed64()
    else if (tag === 0x21) point.count = reader.fixed64()
    else if (tag === 0x29) point.sum = reader.double()
    else if (tag === 0x32) reader.packed(fixed64, bucketCounts)
    else if (tag === 0x31) bucketCounts.push(reader.fixed64())
    else if (tag === 0x3a) reader.packed(double, explicitBounds)
    else if (tag === 0x39) explicitBounds.push(reader.double())
    else if (tag === 0x42) exemplars.push(reader.message(readExemplar))
    else if (tag === 0x50) point.flags = reader.uint32()
    else if (tag === 0x59) point.min = reader.double()
    else if (tag === 0x61) point.max = reader.double()
    else reader.skip(tag)
  }
  return point
}

function readExponentialPoint(reader: WireReader): DecodedExponentialHistogramDataPoint {
  const attributes: DecodedKeyValue[] = []
  const exemplars: DecodedExemplar[] = []
  const point: Draft<DecodedExponentialHistogramDataPoint> = {
    attributes,
    startTimeUnixNano: 0n,
    timeUnixNano: 0n,
    flags: 0,
    count: 0n,
    sum: undefined,
    min: undefined,
    max: undefined,
    scale: 0,
    zeroCount: 0n,
    zeroThreshold: 0,
    positive: emptyBuckets,
    negative: emptyBuckets,
    exemplars,
  }
  while (reader.more()) {
    const tag = reader.tag()
    if (tag === 0x0a) attributes.push(readKeyValue(reader))
    else if (tag === 0x11) point.startTimeUnixNano = reader.fixed64()
    else if (tag === 0x19) point.timeUnixNano = reader.fixed64()
    else if (tag === 0x21) point.count = reader.fixed64()
    else if (tag === 0x29) point.sum = reader.double()
    else if (tag === 0x30) point.scale = reader.sint32()
    else if (tag === 0x39) point.zeroCount = reader.fixed64()
    else if (tag === 0x42) point.positive = reader.message(readBuckets)
    else if (tag === 0x4a) point.negative = reader.message(readBuckets)
    else if (tag === 0x50) point.flags = reader.uint32()
    else if (tag === 0x5a) exemplars.push(reader.message(readExemplar))
    else if (tag === 0x61) point.min = reader.double()
    else if (tag === 0x69) point.max = reader.double()
    else if (tag === 0x71) point.zeroThreshold = reader.double()
    else reader.skip(tag)
  }
  return point
}

const emptyBuckets: DecodedBuckets = { offset: 0, bucketCounts: [] }

function readBuckets(reader: WireReader): DecodedBuckets {
  const bucketCounts: bigint[] = []
  let offset = 0
  while (reader.more()) {
    const tag = reader.tag()
    if (tag === 0x08) offset = reader.sint32()
    else if (tag === 0x12) reader.packed(uint64, bucketCounts)
    else if (tag === 0x10) bucketCounts.push(reader.uint64())
    else reader.skip(tag)
  }
  return { offset, bucketCounts }
}

function readSummaryPoint(reader: WireReader): DecodedSummaryDataPoint {
  const attributes: DecodedKeyValue[] = []
  const quantileValues: DecodedQuantile[] = []
  const point: Draft<DecodedSummaryDataPoint> = {
    attributes,
    startTimeUnixNano: 0n,
    timeUnixNano: 0n,
    flags: 0,
    count: 0n,
    sum: 0,
    quantileValues,
  }
  while (reader.more()) {
    const tag = reader.tag()
    if (tag === 0x3a) attributes.push(readKeyValue(reader))
    else if (tag === 0x11) point.startTimeUnixNano = reader.fixed64()
    else if (tag === 0x19) point.timeUnixNano = reader.fixed64()
    else if (tag === 0x21) point.count = reader.fixed64()
    else if (tag === 0x29) point.sum = reader.double()
    else if (tag === 0x32) quantileValues.push(reader.message(readQuantile))
    else if (tag === 0x40) point.flags = reader.uint32()
    else reader.skip(tag)
  }
  return point
}

function readQuantile(reader: WireReader): DecodedQuantile {
  let quantile = 0
  let value = 0
  while (reader.more()) {
    const tag = reader.tag()
    if (tag === 0x09) quantile = reader.double()
    else if (tag === 0x11) value = reader.double()
    else reader.skip(tag)
  }
  return { quantile, value }
}

function readExemplar(reader: WireReader): DecodedExemplar {
  const filteredAttributes: DecodedKeyValue[] = []
  let timeUnixNano = 0n
  let value: number | bigint | undefined
  let spanId = ''
  let traceId = ''
  while (reader.more()) {
    const tag = reader.tag()
    if (tag === 0x3a) filteredAttributes.push(readKeyValue(reader))
    else if (tag === 0x11) timeUnixNano = reader.fixed64()
    else if (tag === 0x19) value = reader.double()
    else if (tag === 0x31) value = reader.sfixed64()
    else if (tag === 0x22) spanId = reader.id(8)
    else if (tag === 0x2a) traceId = reader.id(16)
    else reader.skip(tag)
  }
  return { filteredAttributes, timeUnixNano, value, spanId, traceId }
}

const fixed64 = (reader: WireReader): bigint => reader.fixed64()
const uint64 = (reader: WireReader): bigint => reader.uint64()
const double = (reader: WireReader): number => reader.double()
