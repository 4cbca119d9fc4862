import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { appendFileSync, writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { eventually } from './eventually.ts'

/** The root of the repository. */
export const repository: string = fileURLToPath(new URL('../../..', import.meta.url))

/** A file of the repository, by its path from the root. */
export function inRepository(path: string): string {
  return fileURLToPath(new URL(`../../../${path}`, import.meta.url))
}

export interface Finished {
  readonly code: number | null
  readonly stdout: string
  readonly stderr: string
  readonly durationMs: number
}

export type Environment = Readonly<Record<string, string>>

/** This process's environment without what would steer tracing, and with `extra`. */
export function cleanEnvironment(extra: Environment = {}): NodeJS.ProcessEnv {
  const steering = /^(OSAPI_|OTEL_|NODE_TEST_|NODE_OPTIONS$|NATS_URL$|TRACEPARENT$|TRACESTATE$|BAGGAGE$)/u
  const inherited = Object.entries(process.env).filter(([name]) => !steering.test(name))
  return { ...Object.fromEntries(inherited), ...extra }
}

/** Runs Node.js with these arguments to its end. */
export async function runNode(args: readonly string[], env: Environment = {}): Promise<Finished> {
  const startMs = performance.now()
  const child = spawn(process.execPath, args, {
    cwd: repository,
    env: cleanEnvironment(env),
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  const text = { stdout: '', stderr: '' }
  for (const name of ['stdout', 'stderr'] as const) {
    child[name].setEncoding('utf8').on('data', (chunk: string) => {
      text[name] += chunk
    })
  }
  await once(child, 'close')
  return { code: child.exitCode, ...text, durationMs: performance.now() - startMs }
}

const running = new Set<ChildProcess>()

/** Nothing outlives the tests, also when the runner ends them at their time limit. */
function endWithThisProcess(child: ChildProcess): void {
  if (running.size === 0) {
    const killAll = (): void => {
      for (const one of running) one.kill('SIGKILL')
    }
    process.once('exit', killAll)
    process.once('SIGTERM', () => process.exit(143))
  }
  running.add(child)
}

/** A long-running program whose stderr, its log, goes into a plain file line by line as it comes. */
export class Running {
  readonly logPath: string
  readonly #child: ChildProcess
  readonly #watchers = new Set<() => void>()
  readonly #ended: Promise<unknown>
  #log = ''
  #stdout = ''

  constructor(args: readonly string[], options: { readonly logPath: string; readonly env?: Environment }) {
    this.logPath = options.logPath
    writeFileSync(this.logPath, '')
    const child = spawn(process.execPath, args, {
      cwd: repository,
      env: cleanEnvironment(options.env),
      stdio: ['ignore', 'pipe', 'pipe'],
    })
    child.stdout.setEncoding('utf8').on('data', (chunk: string) => {
      this.#stdout += chunk
      this.#tell()
    })
    child.stderr.setEncoding('utf8').on('data', (chunk: string) => {
      this.#log += chunk
      appendFileSync(this.logPath, chunk)
      this.#tell()
    })
    this.#child = child
    endWithThisProcess(child)
    this.#ended = once(child, 'close').then(() => this.#tell())
  }

  get pid(): number {
    const { pid } = this.#child
    if (pid === undefined) throw new Error('the program did not start')
    return pid
  }

  get log(): string {
    return this.#log
  }

  get stdout(): string {
    return this.#stdout
  }

  get hasEnded(): boolean {
    return this.#child.exitCode !== null || this.#child.signalCode !== null
  }

  /** The first match in the log, as soon as it is there; rejects when the program ends without it. */
  logged(pattern: RegExp): Promise<RegExpExecArray> {
    return this.#until(() => pattern.exec(this.#log) ?? undefined, String(pattern))
  }

  /** The first match on stdout, likewise. */
  printed(pattern: RegExp): Promise<RegExpExecArray> {
    return this.#until(() => pattern.exec(this.#stdout) ?? undefined, String(pattern))
  }

  /** Sends a signal and resolves with the exit code when the program has ended; SIGKILL after 20 s. */
  async stop(signal: NodeJS.Signals = 'SIGTERM'): Promise<number | null> {
    if (!this.hasEnded) this.#child.kill(signal)
    const force = setTimeout(() => this.#child.kill('SIGKILL'), 20_000)
    await this.#ended
    clearTimeout(force)
    return this.#child.exitCode
  }

  #until<T>(look: () => T | undefined, what: string): Promise<T> {
    const why = () => `${this.hasEnded ? 'ended' : 'runs'} without ${what}; its log:\n${this.#log}`
    const lookOrEnd = () => {
      const found = look()
      if (found === undefined && this.hasEnded) throw new Error(why())
      return found
    }
    return eventually(lookOrEnd, this.#watchers, why)
  }

  #tell(): void {
    for (const watch of this.#watchers) watch()
  }
}
