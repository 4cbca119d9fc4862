import { decodeExportTraceResponse, decodeStatus } from '@throughline/otlp'
import type { DropReason } from '../ledger.ts'
import { parseRetryAfterMs } from './retry.ts'

/** What came of one attempt. A transport never throws: no answer at all is a `retry`. */
export type Answer =
  | { readonly kind: 'accepted'; readonly rejectedItemCount: number; readonly note: string }
  /** `delayMs` is the collector's own wish; without one the exporter backs off by itself. */
  | { readonly kind: 'retry'; readonly cause: string; readonly delayMs: number | undefined }
  | { readonly kind: 'refused'; readonly cause: string; readonly reason: DropReason }

/** Sends one ExportTraceServiceRequest. MUST resolve within its timeout and MUST NOT reject. */
export interface Transport {
  send(request: Uint8Array): Promise<Answer>
  /** Ends idle and open connections; calls under way resolve as `retry`. */
  readonly close: () => void
}

/** https://opentelemetry.io/docs/specs/otlp/#otlphttp-response: the limit that the specification recommends. */
export const answerBytesMax: number = 4 * 1024 * 1024

export interface HttpAnswer {
  readonly status: number
  readonly contentType: string
  readonly retryAfter: string | undefined
  readonly body: Uint8Array
}

// https://opentelemetry.io/docs/specs/otlp/#retryable-response-codes
const retryableStatuses: ReadonlySet<number> = new Set([429, 502, 503, 504])

export function answerFromHttp(answer: HttpAnswer, nowMs: number): Answer {
  const { status } = answer
  if (status >= 200 && status < 300) return acceptedAnswer(answer.body, answer.contentType)
  const cause = `HTTP ${status}${errorText(answer)}`
  if (retryableStatuses.has(status))
    return { kind: 'retry', cause, delayMs: parseRetryAfterMs(answer.retryAfter, nowMs) }
  return { kind: 'refused', cause, reason: `http_${status}` }
}

/**
 * The collector took the request, whatever its body says: sending again would only make duplicates. But a body that is
 * no OTLP answer is how a wrong address looks (a web server that says 200 to everything), so that is told.
 */
export function acceptedAnswer(body: Uint8Array, contentType: string): Answer {
  if (body.length === 0) return accepted(0, '')
  if (contentType !== '' && !/^application\/(?:x-protobuf|grpc)/.test(contentType))
    return accepted(0, `the answer is no OTLP response (content-type ${printable(contentType)})`)
  const { value, error } = decodeExportTraceResponse(body)
  if (error !== undefined) return accepted(0, `the answer is no OTLP response (${error.message})`)
  const { rejectedSpans = 0, errorMessage = '' } = value.partialSuccess ?? {}
  return accepted(rejectedSpans, printable(errorMessage))
}

function accepted(rejectedItemCount: number, note: string): Answer {
  return { kind: 'accepted', rejectedItemCount, note }
}

function errorText({ contentType, body }: HttpAnswer): string {
  if (body.length === 0) return ''
  const status = contentType.startsWith('application/x-protobuf') ? decodeStatus(body).value : undefined
  const text = status?.message ?? new TextDecoder().decode(body.subarray(0, 1024))
  return text === '' ? '' : `: ${printable(text)}`
}

/** Text of a stranger, made fit for one line on a terminal. */
export function printable(text: string): string {
  return text
    .slice(0, 1024)
    .replace(/[\p{Cc}\p{Cf}\s]+/gu, ' ')
    .trim()
    .slice(0, 200)
}

/** One line that names the error's cause, also for the AggregateError of a host with several addresses. */
export function describeError(error: unknown): string {
  if (error instanceof AggregateError && error.errors.length > 0)
    return error.errors.map(describeError).join('; ')
  if (!(error instanceof Error)) return printable(String(error))
  const code = 'code' in error && typeof error.code === 'string' ? error.code : ''
  const text = error.message === '' ? error.name : error.message
  return printable(code === '' || text.includes(code) ? text : `${code} ${text}`)
}
