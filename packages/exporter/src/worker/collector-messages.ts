/** Stands in for the decoders of @throughline/otlp: says nothing about rejected spans and delays yet. */
export function decodeExportTraceResponse(
  _bytes: Uint8Array,
): { rejectedSpans: number; errorMessage: string } | { error: string } {
  return { rejectedSpans: 0, errorMessage: '' }
}

export function decodeStatus(
  _bytes: Uint8Array,
): { code: number; message: string; retryDelayMs?: number } | { error: string } {
  return { error: 'not decoded yet' }
}
