import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'

/** Core 0 is the server's alone, with every thread it starts; everything else shares core 1. */
export const serverCore = 0
export const otherCore = 1

export interface ChildOptions {
  readonly core: number
  readonly file: string
  readonly node?: string
  readonly nodeArgs?: readonly string[]
  readonly env?: Readonly<Record<string, string>>
}

/** A child process, pinned to a core, that answers each message with one message. */
export class Child {
  readonly #process: ChildProcess
  readonly #failed: Promise<never>

  constructor(options: ChildOptions) {
    const path = fileURLToPath(new URL(options.file, import.meta.url))
    const command = [options.node ?? process.execPath, ...(options.nodeArgs ?? []), path]
    this.#process = spawn('taskset', ['-c', String(options.core), ...command], {
      stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
      env: { ...process.env, ...options.env },
    })
    this.#failed = once(this.#process, 'exit').then(([code]) => {
      throw new Error(`${options.file} ended with ${code}`)
    })
    this.#failed.catch(() => undefined)
  }

  async next(): Promise<unknown> {
    const message = once(this.#process, 'message').then(([message]) => message as unknown)
    return Promise.race([message, this.#failed])
  }

  async ask(message: unknown): Promise<unknown> {
    const answer = this.next()
    this.#process.send(message as object)
    return answer
  }

  async stop(): Promise<void> {
    if (this.#process.exitCode !== null || this.#process.signalCode !== null) return
    const exit = once(this.#process, 'exit')
    this.#process.kill('SIGTERM')
    const timer = setTimeout(() => this.#process.kill('SIGKILL'), 10_000)
    await exit
    clearTimeout(timer)
  }
}
