// The program of the detached flusher: started by start-flusher.ts at the end of a short program, imported by nothing.
import type { WorkerConfig } from '../messages.ts'
import { flusherVariable } from './control.ts'
import { FlusherClaim } from './flusher-claim.ts'
import { flushSpoolFolder } from './spool-flush.ts'

/** A collector that is away is tried for so long, then left alone. */
const idleMsMax = 10_000
const totalMsMax = 60_000
/** It stays for the next command, so that a row of them does not start a process each. */
const lingerMs = 2_000

const text = process.env[flusherVariable]
if (text !== undefined) {
  delete process.env[flusherVariable]
  await run(JSON.parse(text) as WorkerConfig) // Written by start-flusher.ts of the same release.
}

async function run(config: WorkerConfig): Promise<void> {
  const claim = new FlusherClaim(config.spool?.dir ?? '')
  if (!claim.keep()) return
  const flush = { config, idleMsMax, totalMsMax, onTick: () => claim.keep() }
  const { leftRecordCount } = await flushSpoolFolder({ ...flush, lingerMs })
  if (leftRecordCount > 0) {
    claim.pause()
    return
  }
  // What came between the last look and this is seen by the look after it, or its writer sees that there is no claim.
  claim.release()
  const late = await flushSpoolFolder({ ...flush, onTick: () => true })
  if (late.leftRecordCount > 0) claim.pause()
}
