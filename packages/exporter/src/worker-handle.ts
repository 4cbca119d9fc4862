import { AsyncResource } from 'node:async_hooks'
import type { Worker } from 'node:worker_threads'
import type { HostMessage, WorkerConfig, WorkerMessage } from './messages.ts'

/** A worker that dies again and again is not started more often than this within `crashWindowMs`. */
const crashesMax = 5
const crashWindowMs = 10 * 60_000
const stopTimeoutMs = 500

export interface WorkerHandleOptions {
  readonly config: WorkerConfig
  readonly onMessage: (message: WorkerMessage) => void
  /** The worker is gone, and with it all that was handed to it. `restarts` tells whether the next post starts another. */
  readonly onCrash: (cause: string, restarts: boolean) => void
}

/** The worker thread: started at the first post, unref'd, replaced after a crash. */
export class WorkerHandle {
  readonly #options: WorkerHandleOptions
  // Started here and not within the span that happens to end first: everything that the worker causes on this thread
  // would else run in that span's context, and keep it alive.
  readonly #setUpContext = new AsyncResource('ThroughlineExporter')
  #worker: Worker | undefined
  #crashMs: number[] = []

  constructor(options: WorkerHandleOptions) {
    this.#options = options
  }

  get isAvailable(): boolean {
    return this.#worker !== undefined || this.#crashMs.length < crashesMax || this.#oldestCrashIsForgotten()
  }

  start(): void {
    if (this.#worker === undefined && this.isAvailable)
      this.#setUpContext.runInAsyncScope(() => {
        this.#start()
      })
  }

  /** Starts the worker if there is none. A failure is reported by onCrash. */
  post(message: HostMessage, transfer: readonly ArrayBuffer[] = []): void {
    this.start()
    this.#worker?.postMessage(message, transfer)
  }

  /** Lets the worker close its connections and end; by force if it does not do so soon. */
  async stop(): Promise<void> {
    const worker = this.#worker
    if (worker === undefined) return
    this.#worker = undefined
    const ended = new Promise<void>((resolve) => worker.once('exit', () => resolve()))
    worker.postMessage({ kind: 'stop' } satisfies HostMessage, [])
    // Not unref'd: somebody awaits this.
    const force = setTimeout(() => {
      void worker.terminate()
    }, stopTimeoutMs)
    await ended
    clearTimeout(force)
  }

  #start(): void {
    let cause = ''
    try {
      // Loaded when it is needed: most programs have ended their start-up by then.
      const threads = process.getBuiltinModule('node:worker_threads')
      const worker = new threads.Worker(new URL('./worker/main.js', import.meta.url), {
        name: 'throughline-exporter',
        workerData: this.#options.config,
        // The host's --import and --require would load its instrumentation here again, and trace our own requests.
        execArgv: [],
        env: {},
      })
      worker.on('message', (message: WorkerMessage) => {
        // After stop() everything is settled: what is still under way would be told after the end.
        if (this.#worker === worker) this.#options.onMessage(message)
      })
      worker.on('error', (error) => {
        cause = error instanceof Error ? error.message : String(error)
      })
      worker.on('exit', (code) => {
        if (this.#worker === worker) this.#crashed(cause === '' ? `it ended with code ${code}` : cause)
      })
      worker.unref()
      this.#worker = worker
    } catch (error) {
      this.#crashed(error instanceof Error ? error.message : String(error))
    }
  }

  #crashed(cause: string): void {
    this.#worker = undefined
    this.#crashMs = [...this.#crashMs.slice(-crashesMax + 1), performance.now()]
    this.#options.onCrash(cause, this.isAvailable)
  }

  #oldestCrashIsForgotten(): boolean {
    return performance.now() - (this.#crashMs[0] ?? 0) > crashWindowMs
  }
}
