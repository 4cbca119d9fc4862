import type { IngestBatch } from './ingest.ts'

export type Signal = 'traces' | 'logs'
export type Encoding = 'protobuf' | 'json'

export interface Format {
  readonly signal: Signal
  readonly encoding: Encoding
}

/** The codes of google.rpc.Status that Lens uses. */
export const grpcCode = { invalidArgument: 3, unavailable: 14 } as const

export function decodeRequest(body: Uint8Array, format: Format): IngestBatch | { readonly error: string } {
  return { error: `decoding ${body.length} bytes of ${format.signal} is not built yet` }
}

export function encodeResponse(
  outcome: { readonly rejectedCount: number; readonly reason: string },
  format: Format,
): Uint8Array {
  return new TextEncoder().encode(format.encoding === 'json' ? JSON.stringify(outcome) : '')
}

export function encodeStatus(
  status: { readonly code: number; readonly message: string },
  encoding: Encoding,
): Uint8Array {
  return new TextEncoder().encode(encoding === 'json' ? JSON.stringify(status) : '')
}
