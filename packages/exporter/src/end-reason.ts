import type { EndCause } from './process-end.ts'

const errorTextLengthMax = 300

/** What came before the end, and so may be its reason. */
interface Signs {
  uncaught: string | undefined
  signal: string | undefined
  isIdle: boolean
}

/**
 * Says why the process ends, in words for people: `process.exit(3)`, `uncaught exception: Error: boom`, `SIGTERM`. Node tells
 * an exit listener the code alone, so this watches what comes before. It changes nothing: no listener of it handles anything.
 */
export class EndReasons {
  readonly #signs: Signs = { uncaught: undefined, signal: undefined, isIdle: false }

  constructor() {
    process.on('uncaughtExceptionMonitor', this.#onUncaught)
    process.on('beforeExit', this.#onBeforeExit)
  }

  /** Removes the listeners. */
  stop(): void {
    process.off('uncaughtExceptionMonitor', this.#onUncaught)
    process.off('beforeExit', this.#onBeforeExit)
  }

  /** To be called for each cause, also a signal that the process survives: it may still be why it exits. */
  reasonOf(cause: EndCause): string {
    const signs = this.#signs
    if (cause.kind === 'signal') {
      signs.signal = cause.signal
      return cause.signal
    }
    return exitReason(cause.code, signs) + inThread()
  }

  /** Tracing ends, and the process goes on for now. */
  reasonOfShutdown(): string {
    return `tracing was shut down${afterSignal(this.#signs)}`
  }

  // If nobody handles the error, the exit event follows at once, without a turn of the event loop between.
  readonly #onUncaught = (error: unknown, origin: string): void => {
    const what = origin === 'unhandledRejection' ? 'unhandled rejection' : 'uncaught exception'
    this.#signs.uncaught = `${what}: ${errorText(error)}`
    this.#untilNextTurn(() => {
      this.#signs.uncaught = undefined
    })
  }

  // Likewise, unless a listener of this event gives the program something to do.
  readonly #onBeforeExit = (): void => {
    this.#signs.isIdle = true
    this.#untilNextTurn(() => {
      this.#signs.isIdle = false
    })
  }

  #untilNextTurn(forget: () => void): void {
    setImmediate(forget).unref()
  }
}

function exitReason(code: number, signs: Signs): string {
  if (signs.uncaught !== undefined) return signs.uncaught
  return signs.isIdle
    ? `end of the program with exit code ${code}`
    : `process.exit(${code})${afterSignal(signs)}`
}

const afterSignal = ({ signal }: Signs): string => (signal === undefined ? '' : ` after ${signal}`)

function inThread(): string {
  const { isMainThread, threadId } = process.getBuiltinModule('node:worker_threads')
  return isMainThread ? '' : ` in worker thread ${threadId}`
}

/** The first line, as Node prints it, and not all of an endless one. */
function errorText(error: unknown): string {
  try {
    const [line = ''] = String(error).split('\n', 1)
    return line.length > errorTextLengthMax ? `${line.slice(0, errorTextLengthMax)}…` : line
  } catch {
    // A toString of the program's own.
    return 'an error that cannot be shown'
  }
}
