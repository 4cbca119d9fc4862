import { decodeExportTraceResponse, decodeStatus } from '@throughline/otlp'
import type { DropReason } from '../ledger.ts'
import { withoutCredentials } from './endpoint.ts'
import { parseRetryAfterMs } from './retry.ts'

/** What came of one attempt. A transport never throws: no answer at all is a `retry`. */
export type Answer =
  | { readonly kind: 'accepted'; readonly rejectedItemCount: number; readonly note: string }
  /** `delayMs` is the collector's own wish; without one the exporter backs off by itself. */
  | { readonly kind: 'retry'; readonly cause: string; readonly delayMs: number | undefined }
  | { readonly kind: 'refused'; readonly cause: string; readonly reason: DropReason }
  /** Less at once may be taken; `reason` is for the part that cannot be made smaller. */
  | { readonly kind: 'too-large'; readonly cause: string; readonly reason: DropReason }

/** Sends one export request of its signal. MUST resolve within its timeout and MUST NOT reject. */
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
  readonly location: string | undefined
  readonly body: Uint8Array
}

// https://opentelemetry.io/docs/specs/otlp/#retryable-response-codes
const retryableStatuses: ReadonlySet<number> = new Set([429, 502, 503, 504])

export function answerFromHttp(answer: HttpAnswer, nowMs: number): Answer {
  const { status } = answer
  if (status >= 200 && status < 300) return acceptedAnswer(answer.body, answer.contentType)
  const cause = `HTTP ${status}${status < 400 ? redirectText(answer) : errorText(answer)}`
  if (retryableStatuses.has(status))
    return { kind: 'retry', cause, delayMs: parseRetryAfterMs(answer.retryAfter, nowMs) }
  return { kind: status === 413 ? 'too-large' : 'refused', cause, reason: `http_${status}` }
}

/** Redirects are not followed: what we send may hold an API key, which is for the named address alone. */
function redirectText({ location = '' }: HttpAnswer): string {
  const target = URL.canParse(location) ? withoutCredentials(new URL(location)) : location
  return target === '' ? '' : `: redirected to ${printable(target)}; name that address if it is the right one`
}

/**
 * The collector took the request, whatever its body says: sending again would only make duplicates. But a body that is
 * no OTLP answer is how a wrong address looks (a web server that says 200 to everything), so that is told.
 */
export function acceptedAnswer(body: Uint8Array, contentType: string): Answer {
  if (body.length === 0) return accepted(0, '')
  if (/^application\/json\b/.test(contentType)) return acceptedJsonAnswer(body)
  if (contentType !== '' && !/^application\/(?:x-protobuf|grpc)/.test(contentType))
    return accepted(0, `the answer is no OTLP response (content-type ${printable(contentType)})`)
  const { value, error } = decodeExportTraceResponse(body)
  if (error !== undefined) return accepted(0, `the answer is no OTLP response (${error.message})`)
  const { rejectedSpans = 0, errorMessage = '' } = value.partialSuccess ?? {}
  return accepted(rejectedSpans, printable(errorMessage))
}

/** https://opentelemetry.io/docs/specs/otlp/#json-protobuf-encoding: 64-bit numbers may be text. */
function acceptedJsonAnswer(body: Uint8Array): Answer {
  try {
    const answer: unknown = JSON.parse(new TextDecoder().decode(body))
    const { rejectedSpans, rejectedLogRecords, errorMessage } = fieldsOf(fieldsOf(answer)['partialSuccess'])
    const rejectedCount = Number(rejectedSpans ?? rejectedLogRecords ?? 0)
    return accepted(
      Number.isSafeInteger(rejectedCount) ? Math.max(0, rejectedCount) : 0,
      typeof errorMessage === 'string' ? printable(errorMessage) : '',
    )
  } catch (error) {
    return accepted(0, `the answer is no OTLP response (${describeError(error)})`)
  }
}

function fieldsOf(value: unknown): Record<string, unknown> {
  return typeof value === 'object' && value !== null ? { ...value } : {}
}

function accepted(rejectedItemCount: number, note: string): Answer {
  return { kind: 'accepted', rejectedItemCount, note }
}

function errorText({ contentType, body }: HttpAnswer): string {
  if (body.length === 0) return ''
  const status = contentType.startsWith('application/x-protobuf') ? decodeStatus(body).value : undefined
  const text =
    status?.message ?? jsonMessage(contentType, body) ?? new TextDecoder().decode(body.subarray(0, 1024))
  return text === '' ? '' : `: ${printable(text)}`
}

/** google.rpc.Status as JSON; many who are no OTLP receivers answer with a `message` too. */
function jsonMessage(contentType: string, body: Uint8Array): string | undefined {
  if (!contentType.startsWith('application/json')) return undefined
  try {
    const { message } = fieldsOf(JSON.parse(new TextDecoder().decode(body)))
    return typeof message === 'string' && message !== '' ? message : undefined
  } catch {
    return undefined
  }
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
