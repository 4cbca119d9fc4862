import type { Decoded, DecodeLimits } from './decode.ts'
import { writeCount, writeText } from './protobuf-common.ts'
import { decodeMessage, type WireReader } from './wire-reader.ts'
import { encodeMessage, varint, type WireWriter } from './wire-writer.ts'

/** What a receiver did not take. With `rejectedSpans` 0 and a message it is a warning about a full success. */
export interface PartialSuccess {
  readonly rejectedSpans: number
  readonly errorMessage: string
}

/** A receiver's answer to an export; without a partial success it took everything. */
export interface ExportTraceResponse {
  readonly partialSuccess: PartialSuccess | undefined
}

/**
 * `ExportTraceServiceResponse` in protobuf. The responses for logs and metrics have the same bytes (field 1: what was
 * rejected, field 2: why), so these two serve all three signals.
 * https://opentelemetry.io/docs/specs/otlp/#partial-success
 */
export function decodeExportTraceResponse(
  bytes: Uint8Array,
  limits: DecodeLimits = {},
): Decoded<ExportTraceResponse> {
  return decodeMessage(bytes, limits, (reader) => {
    let partialSuccess: PartialSuccess | undefined
    while (reader.more()) {
      const tag = reader.tag()
      if (tag === 0x0a) partialSuccess = reader.message(readPartialSuccess)
      else reader.skip(tag)
    }
    return { partialSuccess }
  })
}

/** No bytes at all is a full success. */
export function encodeExportTraceResponse(response: ExportTraceResponse): Uint8Array {
  const { partialSuccess } = response
  if (partialSuccess === undefined) return new Uint8Array(0)
  return encodeMessage((writer) => {
    const bodyAt = writer.open(0, 0x0a)
    const p =
      partialSuccess.rejectedSpans > 0 ? writer.uint(bodyAt, 0x08, partialSuccess.rejectedSpans) : bodyAt
    return writer.close(bodyAt, writeText(writer, p, 0x12, partialSuccess.errorMessage))
  })
}

function readPartialSuccess(reader: WireReader): PartialSuccess {
  let rejectedSpans = 0
  let errorMessage = ''
  while (reader.more()) {
    const tag = reader.tag()
    if (tag === 0x08) rejectedSpans = Math.max(0, Number(reader.int64()))
    else if (tag === 0x12) errorMessage = reader.string()
    else reader.skip(tag)
  }
  return { rejectedSpans, errorMessage }
}

/** google.rpc.Status: the body of an OTLP/HTTP failure and gRPC's `grpc-status-details-bin`. */
export interface RpcStatus {
  readonly code: number
  readonly message: string
  /** From a google.rpc.RetryInfo among the details: how long the receiver asks to wait; never negative. */
  readonly retryDelayMs: number | undefined
}

/** Reads `google.rpc.Status`, and of its details the RetryInfo. https://opentelemetry.io/docs/specs/otlp/#failures */
export function decodeStatus(bytes: Uint8Array, limits: DecodeLimits = {}): Decoded<RpcStatus> {
  return decodeMessage(bytes, limits, (reader) => {
    let code = 0
    let message = ''
    let retryDelayMs: number | undefined
    while (reader.more()) {
      const tag = reader.tag()
      if (tag === 0x08) code = reader.int32()
      else if (tag === 0x12) message = reader.string()
      else if (tag === 0x1a) retryDelayMs = retryDelay(reader.message(readAny), limits) ?? retryDelayMs
      else reader.skip(tag)
    }
    return { code, message, retryDelayMs }
  })
}

/** Writes `google.rpc.Status`, with a RetryInfo when there is a `retryDelayMs`. */
export function encodeStatus(status: RpcStatus): Uint8Array {
  return encodeMessage((writer) => {
    const p = writeText(writer, writeCount(writer, 0, 0x08, status.code), 0x12, status.message)
    if (status.retryDelayMs === undefined) return p
    const anyAt = writer.open(p, 0x1a)
    const valueAt = writer.open(writer.string(anyAt, 0x0a, retryInfoType), 0x12)
    const delayAt = writer.open(valueAt, 0x0a)
    const end = writeDuration(writer, delayAt, status.retryDelayMs)
    return writer.close(anyAt, writer.close(valueAt, writer.close(delayAt, end)))
  })
}

const retryInfoType = 'type.googleapis.com/google.rpc.RetryInfo'

interface Any {
  readonly typeUrl: string
  readonly value: Uint8Array
}

function readAny(reader: WireReader): Any {
  let typeUrl = ''
  let value: Uint8Array = new Uint8Array(0)
  while (reader.more()) {
    const tag = reader.tag()
    if (tag === 0x0a) typeUrl = reader.string()
    else if (tag === 0x12) value = reader.bytes()
    else reader.skip(tag)
  }
  return { typeUrl, value }
}

function retryDelay(any: Any, limits: DecodeLimits): number | undefined {
  // Only the last segment of a type URL names the type.
  if (!any.typeUrl.endsWith('/google.rpc.RetryInfo')) return undefined
  return decodeMessage(any.value, limits, (reader) => {
    let delayMs: number | undefined
    while (reader.more()) {
      const tag = reader.tag()
      if (tag === 0x0a) delayMs = reader.message(readDuration)
      else reader.skip(tag)
    }
    return delayMs
  }).value
}

function readDuration(reader: WireReader): number {
  let seconds = 0
  let nanos = 0
  while (reader.more()) {
    const tag = reader.tag()
    if (tag === 0x08) seconds = Number(reader.int64())
    else if (tag === 0x10) nanos = reader.int32()
    else reader.skip(tag)
  }
  return Math.max(0, seconds * 1000 + nanos / 1e6)
}

function writeDuration(writer: WireWriter, at: number, delayMs: number): number {
  const nanos = Math.round(Math.max(0, delayMs) * 1e6)
  writer.require(at, 22)
  writer.bytes[at] = 0x08
  const p = varint(writer.bytes, at + 1, Math.floor(nanos / 1e9))
  writer.bytes[p] = 0x10
  return varint(writer.bytes, p + 1, nanos % 1e9)
}
