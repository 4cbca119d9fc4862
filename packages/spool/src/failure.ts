/** Why the disk did not do what was asked. `spool_full`, `too_large` and `closed` are the spool's own answers. */
export type SpoolFailureReason =
  | 'closed'
  | 'disk_full'
  | 'io_error'
  | 'no_permission'
  | 'read_only'
  | 'spool_full'
  | 'too_large'

/** An operation that failed, as a value: nothing of a spool throws after it is open. */
export interface SpoolFailure {
  readonly reason: SpoolFailureReason
  /** One line for people: what the system said, and of which path. */
  readonly cause: string
}

const reasonOfCode: ReadonlyMap<unknown, SpoolFailureReason> = new Map([
  ['ENOSPC', 'disk_full'],
  ['EDQUOT', 'disk_full'],
  ['EROFS', 'read_only'],
  ['EACCES', 'no_permission'],
  ['EPERM', 'no_permission'],
])

/** What a system call threw, as a failure. */
export function failureOf(error: unknown): SpoolFailure {
  const code = codeOf(error)
  const cause = error instanceof Error ? error.message : String(error)
  return { reason: reasonOfCode.get(code) ?? 'io_error', cause }
}

/** The `code` of a system error, such as `ENOENT`. */
export function codeOf(error: unknown): unknown {
  return typeof error === 'object' && error !== null && 'code' in error ? error.code : undefined
}
