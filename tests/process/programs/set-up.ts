/** What a set-up module makes known beside the tracer that it registers with OpenTelemetry's API. */
export interface SetUp {
  /** Resolves when no ended span is in memory only: each is with the collector, in the spool, or counted as dropped. */
  readonly settled?: () => Promise<void>
  /** The account of all spans, where the set-up has one. */
  readonly ledger?: () => unknown
}

/** Loads the module, which sets up tracing by environment, or nothing at all. */
export async function setUpFrom(url: string): Promise<SetUp> {
  return url === 'none' ? {} : ((await import(url)) as SetUp)
}
