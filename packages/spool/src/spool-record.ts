import type { AdoptedOwner } from './adoption.ts'
import type { SpoolFailure } from './failure.ts'

/** What `append` takes. */
export interface NewRecord {
  /** What the payload is, 0 to 255; the spool only keeps it. */
  readonly kind: number
  /** How many things are in it, for the accounts. */
  readonly itemCount: number
  readonly payload: Uint8Array
}

/** A record on disk, by the handle that the spool gave out for it. */
export interface SpoolRecord {
  readonly kind: number
  readonly itemCount: number
  readonly payloadBytes: number
  /** Whose record it was before it was adopted; undefined for one's own. */
  readonly owner: AdoptedOwner | undefined
}

/** A record that was read back. */
export interface TakenRecord {
  readonly record: SpoolRecord
  /** The caller's. */
  readonly payload: Uint8Array
  /** When it was appended, milliseconds since 1970. */
  readonly appendedMs: number
}

export type AppendResult =
  | { readonly ok: true; readonly record: SpoolRecord }
  | { readonly ok: false; readonly failure: SpoolFailure }
