import { writeSync } from 'node:fs'

/** What a set-up module makes known beside the tracer that it registers with OpenTelemetry's API. */
export interface SetUp {
  /**
   * Resolves when no ended span is in memory only: each is with the collector, in the spool, or counted as dropped. Of
   * `spool`: when none is in the spool, either.
   */
  readonly settled?: (where: 'memory' | 'spool') => Promise<void>
  /** The account of all spans, where the set-up has one. */
  readonly ledger?: () => unknown
}

/**
 * Loads the module, which sets up tracing by environment, or nothing at all. With PROOF_LEDGER the account is printed at the
 * very end.
 */
export async function setUpFrom(url: string): Promise<SetUp> {
  if (url === 'none') return {}
  const setUp = (await import(url)) as SetUp
  if (process.env['PROOF_LEDGER'] === '1')
    process.on('exit', () => {
      writeSync(1, `ledger ${JSON.stringify(setUp.ledger?.())}\n`)
    })
  return setUp
}

/** By PROOF_SETTLE: nothing; `1`: until nothing is in memory only; `spool`: until nothing is in the spool either. */
export async function settle(setUp: SetUp): Promise<void> {
  const wanted = process.env['PROOF_SETTLE']
  if (wanted !== undefined) await setUp.settled?.(wanted === 'spool' ? 'spool' : 'memory')
}
