/** How a collector answers one request, whatever the protocol. */
export type Answer =
  /** Full success; with `delayMs` a late one. */
  | { readonly kind: 'accept'; readonly delayMs?: number }
  /** Takes the bytes and says nothing, for ever. */
  | { readonly kind: 'hang' }
  /** An HTTP status, or the gRPC code that stands for it. */
  | {
      readonly kind: 'refuse'
      readonly status: RefusedStatus
      readonly message?: string
      /** Retry-After, or gRPC's RetryInfo. */
      readonly retryAfterSeconds?: number
    }
  | { readonly kind: 'partial'; readonly rejectedCount: number; readonly message: string }
  /** Success by its status, with a body that is nothing at all. */
  | { readonly kind: 'garbage' }
  /** The beginning of an answer, then the end of the connection. */
  | { readonly kind: 'half' }
  /** The connection is reset. */
  | { readonly kind: 'reset' }

export type RefusedStatus = 400 | 401 | 403 | 404 | 413 | 429 | 500 | 502 | 503 | 504

/** https://opentelemetry.io/docs/specs/otlp/#otlpgrpc-response, and what collectors answer in these cases. */
export const grpcCodes: Readonly<Record<RefusedStatus, number>> = {
  400: 3, // INVALID_ARGUMENT
  401: 16, // UNAUTHENTICATED
  403: 7, // PERMISSION_DENIED
  404: 12, // UNIMPLEMENTED
  413: 8, // RESOURCE_EXHAUSTED, without RetryInfo
  429: 8, // RESOURCE_EXHAUSTED, with RetryInfo
  500: 13, // INTERNAL
  502: 14,
  503: 14, // UNAVAILABLE
  504: 4, // DEADLINE_EXCEEDED
}

export const garbage: Buffer = Buffer.from('<!doctype html><title>It works!</title>')

/** ExportTraceServiceResponse { partial_success { rejected_spans, error_message } } */
export function partialSuccess(rejectedCount: number, message: string): Buffer {
  return bytesField(1, Buffer.concat([varintField(1, rejectedCount), bytesField(2, Buffer.from(message))]))
}

/** google.rpc.Status { code, message, details }, with RetryInfo { retry_delay { seconds } } where there is a delay. */
export function rpcStatus(code: number, message: string, retryAfterSeconds: number | undefined): Buffer {
  const parts = [varintField(1, code), bytesField(2, Buffer.from(message))]
  if (retryAfterSeconds !== undefined) {
    const retryInfo = bytesField(1, varintField(1, retryAfterSeconds))
    const type = Buffer.from('type.googleapis.com/google.rpc.RetryInfo')
    parts.push(bytesField(3, Buffer.concat([bytesField(1, type), bytesField(2, retryInfo)])))
  }
  return Buffer.concat(parts)
}

function varintField(field: number, value: number): Buffer {
  return Buffer.from([field << 3, ...varint(value)])
}

function bytesField(field: number, bytes: Buffer): Buffer {
  return Buffer.concat([Buffer.from([(field << 3) | 2, ...varint(bytes.length)]), bytes])
}

function varint(value: number): number[] {
  const bytes: number[] = []
  let rest = value
  for (; rest > 127; rest = Math.floor(rest / 128)) bytes.push((rest % 128) | 128)
  return [...bytes, rest]
}
