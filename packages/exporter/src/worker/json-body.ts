import { decodeLogs, decodeTraces, encodeLogsJson, encodeTracesJson } from '@throughline/otlp'
import type { SignalName } from '../messages.ts'

export type JsonBody =
  | { readonly value: Uint8Array; readonly cause?: undefined }
  | { readonly cause: string; readonly value?: undefined }

/** An export request as OTLP/JSON. It is converted here in the worker: the host's thread and the spool know one encoding. */
export function jsonFromRequest(request: Uint8Array, signal: SignalName): JsonBody {
  if (signal === 'traces') {
    const { value, error } = decodeTraces(request)
    return error === undefined ? { value: Buffer.from(encodeTracesJson(value)) } : { cause: error.message }
  }
  const { value, error } = decodeLogs(request)
  return error === undefined ? { value: Buffer.from(encodeLogsJson(value)) } : { cause: error.message }
}
