import type { SpoolDropReason } from '@throughline/spool'
import type { DropReason } from '../ledger.ts'

/** What the spool gives up, in the ledger's words. */
export const dropReasons: Readonly<Record<SpoolDropReason, DropReason>> = {
  corrupt: 'spool_corrupt',
  missing: 'spool_missing',
  spool_age: 'spool_age',
  spool_full: 'spool_full',
}

export const dropCauses: Readonly<Record<SpoolDropReason, string>> = {
  corrupt: 'what is on disk is not what was written',
  missing: 'somebody removed them from the disk',
  spool_age: 'they were too old to be sent',
  spool_full: 'the spool was full, and the oldest gave way',
}
