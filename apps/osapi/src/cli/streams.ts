/** Where a command's data and messages go; replaced in tests. */
export interface Streams {
  /** Data. */
  readonly out: (text: string) => void
  /** Logs and progress. */
  readonly err: (text: string) => void
  readonly isOutTerminal: boolean
  readonly isErrTerminal: boolean
}

export function processStreams(): Streams {
  return {
    out: (text) => void process.stdout.write(text),
    err: (text) => void process.stderr.write(text),
    isOutTerminal: process.stdout.isTTY,
    isErrTerminal: process.stderr.isTTY,
  }
}
