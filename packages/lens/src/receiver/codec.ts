import {
  type DecodeError,
  decodeLogs,
  decodeLogsJson,
  decodeMetrics,
  decodeTraces,
  decodeTracesJson,
  encodeExportTraceResponse,
  encodeStatus as encodeStatusProtobuf,
} from '@throughline/otlp'
import { limits } from '../limits.ts'
import { convertLogs, convertTraces } from './convert.ts'
import type { IngestBatch, Signal } from './ingest.ts'
import { refuseMetrics, refuseMetricsJson } from './refuse-metrics.ts'

export type Encoding = 'protobuf' | 'json'

export interface Format {
  readonly signal: Signal
  readonly encoding: Encoding
}

/** The codes of google.rpc.Status that Lens uses. */
export const grpcCode = { invalidArgument: 3, unavailable: 14 } as const

const decodeLimits = { messageSizeBytesMax: limits.inflatedBytesMax }

export function decodeRequest(
  body: Uint8Array,
  { signal, encoding }: Format,
): IngestBatch | { readonly error: string } {
  const input = encoding === 'json' ? Buffer.from(body.buffer, body.byteOffset, body.length).toString() : body
  if (signal === 'traces') {
    const { value, error } =
      typeof input === 'string' ? decodeTracesJson(input, decodeLimits) : decodeTraces(input, decodeLimits)
    return error === undefined ? convertTraces(value) : refusal(error)
  }
  if (signal === 'metrics') {
    if (typeof input === 'string') return refuseMetricsJson(input)
    const { value, error } = decodeMetrics(input, decodeLimits)
    return error === undefined ? refuseMetrics(value) : refusal(error)
  }
  const { value, error } =
    typeof input === 'string' ? decodeLogsJson(input, decodeLimits) : decodeLogs(input, decodeLimits)
  return error === undefined ? convertLogs(value) : refusal(error)
}

const refusal = ({ code, message }: DecodeError): { readonly error: string } => ({
  error: code === 'limit' ? `the request is too large: ${message}` : `the request is not OTLP: ${message}`,
})

/** Export responses, whose protobuf is the same for all three signals. https://opentelemetry.io/docs/specs/otlp/#partial-success-1 */
export function encodeResponse(
  outcome: { readonly rejectedCount: number; readonly reason: string },
  { signal, encoding }: Format,
): Uint8Array {
  const { rejectedCount, reason } = outcome
  if (encoding === 'protobuf')
    return encodeExportTraceResponse({
      partialSuccess:
        rejectedCount === 0 ? undefined : { rejectedSpans: rejectedCount, errorMessage: reason },
    })
  // An int64, which is text in JSON.
  const partialSuccess = { [rejectedFields[signal]]: String(rejectedCount), errorMessage: reason }
  return utf8(rejectedCount === 0 ? {} : { partialSuccess })
}

const rejectedFields: Readonly<Record<Signal, string>> = {
  traces: 'rejectedSpans',
  logs: 'rejectedLogRecords',
  metrics: 'rejectedDataPoints',
}

export function encodeStatus(
  { code, message }: { readonly code: number; readonly message: string },
  encoding: Encoding,
): Uint8Array {
  if (encoding === 'json') return utf8({ code, message })
  return encodeStatusProtobuf({ code, message, retryDelayMs: undefined })
}

const utf8 = (value: unknown): Uint8Array => Buffer.from(JSON.stringify(value))
