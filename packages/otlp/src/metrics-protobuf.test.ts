import assert from 'node:assert/strict'
import { test } from 'node:test'
import { decodeMetrics } from './metrics-protobuf.ts'
import { official } from './testing/official.ts'

// The official encoder writes, ours reads.

const common = {
  startTimeUnixNano: 1,
  timeUnixNano: 2,
  attributes: [{ key: 'a', value: { stringValue: 'b' } }],
  flags: 1,
}
const decodedCommon = {
  startTimeUnixNano: 1n,
  timeUnixNano: 2n,
  attributes: [{ key: 'a', value: 'b' }],
  flags: 1,
}
const exemplar = {
  timeUnixNano: 3,
  asDouble: 1.5,
  spanId: Buffer.from('0102030405060708', 'hex'),
  traceId: Buffer.from('0102030405060708090a0b0c0d0e0f10', 'hex'),
  filteredAttributes: [{ key: 'c', value: { boolValue: true } }],
}
const decodedExemplar = {
  timeUnixNano: 3n,
  value: 1.5,
  spanId: '0102030405060708',
  traceId: '0102030405060708090a0b0c0d0e0f10',
  filteredAttributes: [{ key: 'c', value: true }],
}

function decodeOne(metric: object): unknown {
  const resourceMetrics = [
    {
      resource: { attributes: [{ key: 'service.name', value: { stringValue: 's' } }] },
      scopeMetrics: [
        { scope: { name: 'n' }, metrics: [{ name: 'm', unit: 'ms', description: 'd', ...metric }] },
      ],
    },
  ]
  const bytes = official.metrics.encode(official.metrics.fromObject({ resourceMetrics })).finish()
  const decoded = decodeMetrics(bytes)
  assert.equal(decoded.error, undefined)
  const read = decoded.value?.resourceMetrics[0]
  assert.deepEqual(read?.resource.attributes, [{ key: 'service.name', value: 's' }])
  const [one] = read?.scopeMetrics[0]?.metrics ?? []
  assert.deepEqual([one?.name, one?.unit, one?.description], ['m', 'ms', 'd'])
  return one?.data
}

test('gauge and sum', () => {
  const dataPoints = [
    { ...common, asInt: -5, exemplars: [exemplar] },
    { ...common, asDouble: 0.5 },
    { ...common, flags: 0 },
  ]
  const decoded = [
    { ...decodedCommon, value: -5n, exemplars: [decodedExemplar] },
    { ...decodedCommon, value: 0.5, exemplars: [] },
    { ...decodedCommon, flags: 0, value: undefined, exemplars: [] },
  ]
  assert.deepEqual(decodeOne({ gauge: { dataPoints } }), { type: 'gauge', dataPoints: decoded })
  assert.deepEqual(decodeOne({ sum: { dataPoints, aggregationTemporality: 2, isMonotonic: true } }), {
    type: 'sum',
    dataPoints: decoded,
    aggregationTemporality: 2,
    isMonotonic: true,
  })
})

test('histogram, with and without its optional fields', () => {
  const full = { ...common, count: 3, sum: 6, min: 1, max: 3, bucketCounts: [1, 2], explicitBounds: [0.5] }
  const dataPoints = [{ ...full, exemplars: [exemplar] }, { count: 1 }]
  assert.deepEqual(decodeOne({ histogram: { dataPoints, aggregationTemporality: 1 } }), {
    type: 'histogram',
    aggregationTemporality: 1,
    dataPoints: [
      {
        ...decodedCommon,
        count: 3n,
        sum: 6,
        min: 1,
        max: 3,
        bucketCounts: [1n, 2n],
        explicitBounds: [0.5],
        exemplars: [decodedExemplar],
      },
      {
        attributes: [],
        startTimeUnixNano: 0n,
        timeUnixNano: 0n,
        flags: 0,
        count: 1n,
        exemplars: [],
        sum: undefined,
        min: undefined,
        max: undefined,
        bucketCounts: [],
        explicitBounds: [],
      },
    ],
  })
})

test('exponential histogram', () => {
  const dataPoints = [
    {
      ...common,
      count: 3,
      sum: -6,
      min: -3,
      max: 3,
      scale: -2,
      zeroCount: 1,
      zeroThreshold: 0.1,
      positive: { offset: -4, bucketCounts: [1, 300] },
      exemplars: [exemplar],
    },
  ]
  assert.deepEqual(decodeOne({ exponentialHistogram: { dataPoints, aggregationTemporality: 2 } }), {
    type: 'exponentialHistogram',
    aggregationTemporality: 2,
    dataPoints: [
      {
        ...decodedCommon,
        count: 3n,
        sum: -6,
        min: -3,
        max: 3,
        scale: -2,
        zeroCount: 1n,
        zeroThreshold: 0.1,
        positive: { offset: -4, bucketCounts: [1n, 300n] },
        negative: { offset: 0, bucketCounts: [] },
        exemplars: [decodedExemplar],
      },
    ],
  })
})

test('summary, and a metric without data', () => {
  const dataPoints = [{ ...common, count: 2, sum: 3, quantileValues: [{ quantile: 0.5, value: 1.5 }] }]
  assert.deepEqual(decodeOne({ summary: { dataPoints } }), {
    type: 'summary',
    dataPoints: [{ ...decodedCommon, count: 2n, sum: 3, quantileValues: [{ quantile: 0.5, value: 1.5 }] }],
  })
  assert.deepEqual(decodeOne({}), { type: 'none' })
})

test('repeated numbers that are not packed', () => {
  // HistogramDataPoint with bucket_counts (6) and explicit_bounds (7) one by one, in Histogram in Metric.
  const point = Buffer.from('31010000000000000031020000000000000039000000000000e03f', 'hex')
  const histogram = wrap(0x4a, wrap(0x0a, point))
  const data = decodeMetrics(wrap(0x0a, wrap(0x12, wrap(0x12, histogram))))
  const metric = data.value?.resourceMetrics[0]?.scopeMetrics[0]?.metrics[0]?.data
  assert.ok(metric?.type === 'histogram')
  assert.deepEqual(metric.dataPoints[0]?.bucketCounts, [1n, 2n])
  assert.deepEqual(metric.dataPoints[0]?.explicitBounds, [0.5])
})

function wrap(tag: number, body: Uint8Array): Uint8Array {
  return Uint8Array.from([tag, body.length, ...body])
}
