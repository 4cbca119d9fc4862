import type { SettledChunk } from '../messages.ts'

/** A chunk in the worker's hands. */
export interface QueuedChunk {
  readonly chunkId: number
  readonly itemCount: number
  readonly bytes: Uint8Array
  /** `memory` becomes `spool` when it is written to disk as well; `adopted` ones were never in memory alone. */
  place: SettledChunk['place']
}

export interface ExportRequest {
  readonly chunks: readonly QueuedChunk[]
  readonly body: Uint8Array
  firstAttemptMs: number | undefined
}

/** How many of the first chunks fit into a request; at least one. */
export function countThatFit(chunks: readonly QueuedChunk[], requestBytesMax: number): number {
  let sizeBytes = 0
  let count = 0
  for (const chunk of chunks) {
    sizeBytes += chunk.bytes.length
    if (count > 0 && (sizeBytes > requestBytesMax || !isOneAccount(chunk, chunks[0]))) break
    count++
  }
  return count
}

/** Two accounts in one request could not share what the collector rejects of it. */
export function isOneAccount(chunk: QueuedChunk, other: QueuedChunk | undefined): boolean {
  return (chunk.place === 'adopted') === (other?.place === 'adopted')
}

/** Chunks are valid requests, and so is their concatenation: https://protobuf.dev/programming-guides/encoding/#last-one-wins */
export function requestOf(chunks: readonly QueuedChunk[]): ExportRequest {
  const [first] = chunks
  if (first !== undefined && chunks.length === 1)
    return { chunks, body: first.bytes, firstAttemptMs: undefined }
  const body = new Uint8Array(totalBytes(chunks))
  let offset = 0
  for (const { bytes } of chunks) {
    body.set(bytes, offset)
    offset += bytes.length
  }
  return { chunks, body, firstAttemptMs: undefined }
}

export function totalBytes(chunks: readonly QueuedChunk[]): number {
  return chunks.reduce((sum, { bytes }) => sum + bytes.length, 0)
}
