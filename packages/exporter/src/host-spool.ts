import { openSpool, type SpoolDrop } from '@throughline/spool'
import type { DropReason } from './ledger.ts'
import type { SpoolConfig } from './messages.ts'
import type { SentChunk } from './sent-chunks.ts'
import { chunkRecordKind } from './worker/control.ts'
import { dropCauses, dropReasons } from './worker/spool-drops.ts'

export interface HostSpoolResult {
  readonly writtenIds: readonly number[]
  /** Why the others are not on disk; empty when all are. */
  readonly cause: string
  /** What the spool gave up to make room, of what it had taken here. */
  readonly drops: readonly HostSpoolDrop[]
}

interface HostSpoolDrop {
  readonly reason: DropReason
  readonly itemCount: number
  readonly cause: string
}

/**
 * Writes chunks to disk from the host's thread: in its dying moment, when there is no export thread that could, or none
 * that still answers. They are free for the next process, or the next export thread, at once.
 */
export function writeToSpool(
  config: SpoolConfig,
  chunks: Iterable<readonly [number, SentChunk]>,
  reason: string,
): HostSpoolResult {
  const { dir, name, bytesMax, ageMsMax, dropWhenFull } = config
  const drops: HostSpoolDrop[] = []
  const onDrop = ({ reason, itemCount }: SpoolDrop): void => {
    drops.push({ reason: dropReasons[reason], itemCount, cause: dropCauses[reason] })
  }
  const spool = openSpool({ dir, name, bytesMax, ageMsMax, dropWhenFull, onDrop })
  const writtenIds: number[] = []
  let cause = ''
  for (const [chunkId, { bytes, itemCount }] of chunks) {
    const result = spool.append({ kind: chunkRecordKind, itemCount, payload: bytes })
    if (result.ok) writtenIds.push(chunkId)
    else cause = result.failure.cause
  }
  spool.release(reason)
  return { writtenIds, cause, drops }
}
