import type { IncomingHttpHeaders } from 'node:http2'
import { decodeStatus } from '@throughline/otlp'
import { type Answer, printable } from './answer.ts'
import { serverDelayMsMax } from './retry.ts'

/** https://grpc.io/docs/guides/status-codes/: the index is the code. */
const codeNames: readonly string[] = [
  'OK',
  'CANCELLED',
  'UNKNOWN',
  'INVALID_ARGUMENT',
  'DEADLINE_EXCEEDED',
  'NOT_FOUND',
  'ALREADY_EXISTS',
  'PERMISSION_DENIED',
  'RESOURCE_EXHAUSTED',
  'FAILED_PRECONDITION',
  'ABORTED',
  'OUT_OF_RANGE',
  'UNIMPLEMENTED',
  'INTERNAL',
  'UNAVAILABLE',
  'DATA_LOSS',
  'UNAUTHENTICATED',
]

/** https://opentelemetry.io/docs/specs/otlp/#failures. RESOURCE_EXHAUSTED is one of them only with a RetryInfo. */
const retryableCodes: ReadonlySet<string> = new Set([
  'CANCELLED',
  'DEADLINE_EXCEEDED',
  'ABORTED',
  'OUT_OF_RANGE',
  'UNAVAILABLE',
  'DATA_LOSS',
])

/**
 * gRPC has no code for a message that is too large. Go, C++ and Node.js say RESOURCE_EXHAUSTED, Rust OUT_OF_RANGE, each
 * with a text; without looking at it the same request would be dropped, or sent for an hour.
 */
const sizeCodes: ReadonlySet<string> = new Set(['RESOURCE_EXHAUSTED', 'OUT_OF_RANGE'])
const sizeText = /larger than max|exceeds max|too large/i

/** https://github.com/grpc/grpc/blob/master/doc/http-grpc-status-mapping.md */
const codeOfHttpStatus: ReadonlyMap<number, string> = new Map([
  [400, 'INTERNAL'],
  [401, 'UNAUTHENTICATED'],
  [403, 'PERMISSION_DENIED'],
  [404, 'UNIMPLEMENTED'],
  [429, 'UNAVAILABLE'],
  [502, 'UNAVAILABLE'],
  [503, 'UNAVAILABLE'],
  [504, 'UNAVAILABLE'],
])

/** An answer whose `grpc-status`, in trailers or in a trailers-only header block, is not 0. */
export function answerFromGrpcStatus(block: IncomingHttpHeaders): Answer {
  const code = codeNames[Number(headerText(block, 'grpc-status'))] ?? 'UNKNOWN'
  const details = decodeDetails(headerText(block, 'grpc-status-details-bin'))
  const message = percentDecoded(headerText(block, 'grpc-message')) || details.message
  const cause = `gRPC ${code}${message === '' ? '' : `: ${printable(message)}`}`
  const { delayMs } = details
  const isRetryable = retryableCodes.has(code) || (code === 'RESOURCE_EXHAUSTED' && delayMs !== undefined)
  if (sizeCodes.has(code) && delayMs === undefined && sizeText.test(message))
    return { kind: 'too-large', cause, reason: `grpc_${code}` }
  return isRetryable ? { kind: 'retry', cause, delayMs } : { kind: 'refused', cause, reason: `grpc_${code}` }
}

/** An answer that no gRPC server gave: a proxy, or a server of something else. */
export function answerFromHttpStatus(status: number): Answer {
  const code = codeOfHttpStatus.get(status) ?? 'UNKNOWN'
  const cause = `HTTP ${status} without a gRPC status`
  if (status === 413) return { kind: 'too-large', cause, reason: `grpc_${code}` }
  return retryableCodes.has(code)
    ? { kind: 'retry', cause, delayMs: undefined }
    : { kind: 'refused', cause, reason: `grpc_${code}` }
}

function decodeDetails(base64: string): { message: string; delayMs: number | undefined } {
  const status = decodeStatus(Buffer.from(base64, 'base64')).value
  const delayMs = status?.retryDelayMs
  return {
    message: status?.message ?? '',
    delayMs: delayMs === undefined ? undefined : Math.min(Math.round(delayMs), serverDelayMsMax),
  }
}

/** https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md: what is not decodable stays as it is. */
function percentDecoded(text: string): string {
  try {
    return decodeURIComponent(text)
  } catch {
    return text
  }
}

function headerText(block: IncomingHttpHeaders, name: string): string {
  const value = block[name]
  return typeof value === 'string' ? value : ''
}
