import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { eventually } from './eventually.ts'
import { cleanEnvironment, type Environment, repository } from './processes.ts'

/** What a program was and said when it had ended. */
export interface End {
  readonly code: number | null
  readonly signal: NodeJS.Signals | null
  readonly stdout: string
  /** Without the lines that are ours. */
  readonly stderr: string
  /** Our diagnostics, in their order. */
  readonly ourLines: readonly string[]
  readonly durationMs: number
}

/** What has to be equal with and without us. */
export type Outcome = Pick<End, 'code' | 'signal' | 'stdout' | 'stderr'>

export interface ChildOptions {
  readonly args: readonly string[]
  readonly nodeArgs?: readonly string[]
  readonly env?: Environment
  /** A command that gets Node.js and its arguments as arguments, and runs it in its own place. */
  readonly wrap?: readonly string[]
  /** Killed after this long. Default: far more than any of the programs takes. */
  readonly limitMs?: number
}

const ourLine = /^throughline: .*\n/gmu

/** A program of its own process, with all that it says. */
export class ChildProgram {
  readonly #child: ChildProcess
  readonly #startMs = performance.now()
  readonly #watchers = new Set<() => void>()
  readonly #closed: Promise<unknown>
  readonly #limitMs: number
  #stdout = ''
  #stderr = ''
  #ranForEver = false
  #isClosed = false

  constructor({ args, nodeArgs = [], env, wrap = [], limitMs = 60_000 }: ChildOptions) {
    this.#limitMs = limitMs
    const [command = '', ...commandArgs] = [...wrap, process.execPath, ...nodeArgs, ...args]
    this.#child = spawn(command, commandArgs, {
      cwd: repository,
      env: cleanEnvironment(env),
      stdio: ['ignore', 'pipe', 'pipe'],
    })
    this.#child.stdout?.setEncoding('utf8').on('data', (text: string) => {
      this.#stdout += text
      this.#tell()
    })
    this.#child.stderr?.setEncoding('utf8').on('data', (text: string) => {
      this.#stderr += text
      this.#tell()
    })
    const killWithUs = (): void => this.kill('SIGKILL')
    process.once('exit', killWithUs)
    const limit = setTimeout(() => {
      this.#ranForEver = true
      this.kill('SIGKILL')
    }, limitMs)
    this.#closed = once(this.#child, 'close').then(() => {
      process.off('exit', killWithUs)
      clearTimeout(limit)
      this.#isClosed = true
      this.#tell()
    })
  }

  get pid(): number {
    const { pid } = this.#child
    if (pid === undefined) throw new Error('the program did not start')
    return pid
  }

  get stdout(): string {
    return this.#stdout
  }

  kill(signal: NodeJS.Signals): void {
    this.#child.kill(signal)
  }

  /** The first match on stdout, as soon as it is there; rejects when the program ends without it. */
  printed(pattern: RegExp): Promise<RegExpExecArray> {
    return this.#until(() => pattern.exec(this.#stdout) ?? undefined, String(pattern))
  }

  /** Resolves when the last line on stdout is one of numbers for which this holds. */
  noted(holds: (numbers: readonly number[]) => boolean): Promise<true> {
    const look = (): true | undefined => {
      const line = this.#stdout.slice(0, this.#stdout.lastIndexOf('\n')).split('\n').at(-1) ?? ''
      return holds(line.split(' ').map(Number)) ? true : undefined
    }
    return this.#until(look, 'such a line of numbers')
  }

  /** The first match on stderr, likewise. */
  complained(pattern: RegExp): Promise<RegExpExecArray> {
    return this.#until(() => pattern.exec(this.#stderr) ?? undefined, String(pattern))
  }

  /** Resolves when it has ended by itself or by a signal of the test; rejects when it ran for ever. */
  async end(): Promise<End> {
    await this.#closed
    if (this.#ranForEver) throw new Error(`did not end in ${this.#limitMs} ms; ${this.#said()}`)
    return {
      code: this.#child.exitCode,
      signal: this.#child.signalCode,
      stdout: this.#stdout,
      stderr: this.#stderr.replace(ourLine, ''),
      ourLines: (this.#stderr.match(ourLine) ?? []).map((line) => line.trimEnd()),
      durationMs: performance.now() - this.#startMs,
    }
  }

  #until<T>(look: () => T | undefined, what: string): Promise<T> {
    const lookOrEnd = (): T | undefined => {
      const found = look()
      if (found === undefined && this.#isClosed) throw new Error(`ended without ${what}; ${this.#said()}`)
      return found
    }
    return eventually(lookOrEnd, this.#watchers, () => `no ${what}; ${this.#said()}`)
  }

  #said(): string {
    return `stdout:\n${this.#stdout}\nstderr:\n${this.#stderr}`
  }

  #tell(): void {
    for (const watch of this.#watchers) watch()
  }
}

export function outcomeOf({ code, signal, stdout, stderr }: End): Outcome {
  return { code, signal, stdout, stderr }
}
