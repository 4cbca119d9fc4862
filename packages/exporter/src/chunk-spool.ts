/**
 * Where chunks can go that are not delivered when they should be: the collector is away, or the process dies. Nothing
 * implements this yet; it fixes what such a store has to promise, so that the exporter's parts stay fit for it.
 *
 * A chunk is a valid ExportTraceServiceRequest, so that a store knows bytes and counts, no spans.
 */
export interface ChunkSpool {
  /**
   * Keeps a chunk in the process's dying moment, on the host's thread. MUST be synchronous and MUST NOT throw; `false`
   * when it could not, then its spans are dropped. The bytes are the caller's again afterwards.
   */
  keepSync(chunk: Uint8Array, itemCount: number): boolean
  /** The oldest chunk that is kept, also by an earlier process, or undefined. The same one until it is released. */
  peek(): Promise<{ readonly chunk: Uint8Array; readonly itemCount: number } | undefined>
  /** The oldest chunk was delivered or refused: forgets it. */
  release(): Promise<void>
}
