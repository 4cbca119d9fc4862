// Whole messages, from and to protobuf and JSON.

export type { Decoded, DecodeError, DecodeLimits } from './decode.ts'
export { decodeLogsJson, encodeLogsJson } from './logs-json.ts'
export { decodeLogs, encodeLogs } from './logs-protobuf.ts'
export { decodeMetrics } from './metrics-protobuf.ts'
export type {
  DecodedEvent,
  DecodedKeyValue,
  DecodedKeyValueList,
  DecodedLink,
  DecodedLogRecord,
  DecodedResource,
  DecodedResourceLogs,
  DecodedResourceSpans,
  DecodedScope,
  DecodedScopeLogs,
  DecodedScopeSpans,
  DecodedSpan,
  DecodedSpanStatus,
  DecodedValue,
  LogsData,
  TracesData,
} from './model.ts'
export { decodeTracesJson, encodeTracesJson } from './traces-json.ts'
export { decodeTraces, encodeTraces } from './traces-protobuf.ts'

// The shapes of decodeMetrics.

export type {
  DecodedBuckets,
  DecodedDataPoint,
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

// What a receiver answers.

export {
  decodeExportTraceResponse,
  decodeStatus,
  type ExportTraceResponse,
  encodeExportTraceResponse,
  encodeStatus,
  type PartialSuccess,
  type RpcStatus,
} from './responses.ts'

// For other packages: spans and log records, encoded one by one as they end.

export { type AddItemResult, ChunkEncoder, type ChunkEncoderOptions } from './chunk-encoder.ts'
export { LogChunkEncoder } from './log-chunk-encoder.ts'
export type { FlatLogAttributes, LogRecord, LogValue } from './log-record.ts'
export { sealOpenChunk } from './open-chunk.ts'
export { OtlpError, type OtlpErrorCode } from './otlp-error.ts'
export { SpanChunkEncoder } from './span-chunk-encoder.ts'
export type {
  AttributeBlock,
  AttributeValue,
  EventRecord,
  FlatAttributes,
  LinkRecord,
  ScopeRecord,
  SpanRecord,
} from './span-record.ts'
