let quietDepth = 0

/**
 * Runs `action` so that nothing it logs, while it runs, becomes a log record. It is for what tells of the export of log
 * records: written through the program's own logger it would else cause records about records.
 */
export function withoutLogRecords<Result>(action: () => Result): Result {
  quietDepth++
  try {
    return action()
  } finally {
    quietDepth--
  }
}

export function isQuiet(): boolean {
  return quietDepth > 0
}
