import { AsyncResource } from 'node:async_hooks'
import type { MessagePort, Worker } from 'node:worker_threads'
import type { HostMessage, WorkerConfig, WorkerMessage, WorkerStart } from './messages.ts'
import { control } from './worker/control.ts'

/** A worker that dies again and again is not started more often than this within `crashWindowMs`. */
const crashesMax = 5
const crashWindowMs = 10 * 60_000
const stopTimeoutMs = 500

export interface WorkerHandleOptions {
  readonly config: WorkerConfig
  readonly onMessage: (message: WorkerMessage) => void
  /** The worker is gone; what it had is not settled. `restarts` tells whether the next post starts another. */
  readonly onCrash: (cause: string, restarts: boolean) => void
}

interface RunningWorker {
  readonly thread: Worker
  readonly port: MessagePort
  readonly control: Int32Array
  isDisowned: boolean
}

/** The worker thread: started at the first post, unref'd, replaced after a crash. */
export class WorkerHandle {
  readonly #options: WorkerHandleOptions
  // Started here and not within the span that happens to end first: everything that the worker causes on this thread
  // would else run in that span's context, and keep it alive.
  readonly #setUpContext = new AsyncResource('ThroughlineExporter')
  #running: RunningWorker | undefined
  #crashMs: number[] = []
  readonly #spoolOwnerIds: string[] = []

  constructor(options: WorkerHandleOptions) {
    this.#options = options
  }

  get isAvailable(): boolean {
    return this.#running !== undefined || this.#crashMs.length < crashesMax || this.#oldestCrashIsForgotten()
  }

  /** There is a thread, and it reads what is posted; one that boots will do so later. */
  get isReady(): boolean {
    const running = this.#running
    return (
      running !== undefined && !running.isDisowned && Atomics.load(running.control, control.workerState) === 1
    )
  }

  get isStarted(): boolean {
    return this.#running !== undefined
  }

  start(): void {
    if (this.#running === undefined && this.isAvailable)
      this.#setUpContext.runInAsyncScope(() => {
        this.#start()
      })
  }

  /** Starts the worker if there is none. A failure is reported by onCrash. */
  post(message: HostMessage): void {
    if (this.#running?.isDisowned === true) this.#replace(this.#running)
    this.start()
    this.#running?.port.postMessage(message, [])
  }

  /** Hears what the worker has said until now, without the event loop. */
  drain(): void {
    if (this.#running !== undefined) this.#drain(this.#running)
  }

  /**
   * Blocks this thread, hearing what the worker says, until `isDone`. False: the time is up, or the worker is gone, before
   * that was so.
   */
  waitUntil(isDone: () => boolean, timeoutMs: number): boolean {
    const deadlineMs = performance.now() + timeoutMs
    for (;;) {
      const running = this.#running
      if (running === undefined) return isDone()
      const messageCount = Atomics.load(running.control, control.messageCount)
      const isGone = Atomics.load(running.control, control.workerState) === 2
      this.#drain(running)
      if (isDone()) return true
      const leftMs = deadlineMs - performance.now()
      if (isGone || leftMs <= 0) return false
      Atomics.wait(running.control, control.messageCount, messageCount, leftMs)
    }
  }

  /** The worker takes nothing more that it has not read: the host has done what was to be done with it. */
  disown(): void {
    if (this.#running === undefined) return
    this.#running.isDisowned = true
    Atomics.store(this.#running.control, control.isHostGone, 1)
  }

  /** Lets the worker close its connections and end; by force if it does not do so soon. */
  async stop(): Promise<void> {
    const running = this.#running
    if (running === undefined) return
    this.#running = undefined
    const { thread, port } = running
    const ended = new Promise<void>((resolve) => thread.once('exit', () => resolve()))
    port.postMessage({ kind: 'stop' } satisfies HostMessage)
    // Not unref'd: somebody awaits this.
    const force = setTimeout(() => {
      void thread.terminate()
    }, stopTimeoutMs)
    await ended
    clearTimeout(force)
    port.close()
  }

  #start(): void {
    let cause = ''
    try {
      const running = startWorker(this.#options.config, this.#spoolOwnerIds)
      const { thread, port } = running
      port.on('message', (message: WorkerMessage) => {
        // After stop() everything is settled: what is still under way would be told after the end.
        if (this.#running === running) this.#hear(message)
      })
      thread.on('error', (error) => {
        cause = error instanceof Error ? error.message : String(error)
      })
      thread.on('exit', (code) => {
        if (this.#running !== running) return
        this.#drain(running)
        this.#crashed(cause === '' ? `it ended with code ${code}` : cause)
      })
      port.unref()
      thread.unref()
      this.#running = running
    } catch (error) {
      this.#crashed(error instanceof Error ? error.message : String(error))
    }
  }

  /** The process has survived what looked like its end. */
  #replace({ thread, port }: RunningWorker): void {
    this.#running = undefined
    port.close()
    void thread.terminate()
  }

  #drain({ port }: RunningWorker): void {
    const { receiveMessageOnPort } = process.getBuiltinModule('node:worker_threads')
    for (;;) {
      const received = receiveMessageOnPort(port)
      if (received === undefined) return
      this.#hear(received.message as WorkerMessage) // Only our own worker has the other end.
    }
  }

  #hear(message: WorkerMessage): void {
    if (message.kind === 'spool-owner') this.#spoolOwnerIds.push(message.ownerId)
    else this.#options.onMessage(message)
  }

  #crashed(cause: string): void {
    this.#running?.port.close()
    this.#running = undefined
    this.#crashMs = [...this.#crashMs.slice(-crashesMax + 1), performance.now()]
    this.#options.onCrash(cause, this.isAvailable)
  }

  #oldestCrashIsForgotten(): boolean {
    return performance.now() - (this.#crashMs[0] ?? 0) > crashWindowMs
  }
}

function startWorker(config: WorkerConfig, deadOwnerIds: readonly string[]): RunningWorker {
  // Loaded when it is needed: most programs have ended their start-up by then.
  const { MessageChannel, Worker } = process.getBuiltinModule('node:worker_threads')
  // A channel of our own: unlike the worker's built-in one it can be read without the event loop.
  const { port1, port2 } = new MessageChannel()
  const shared = new Int32Array(new SharedArrayBuffer(4 * control.length))
  const start: WorkerStart = { config, port: port2, control: shared, deadOwnerIds }
  const thread = new Worker(new URL('./worker/main.js', import.meta.url), {
    name: 'throughline-exporter',
    workerData: start,
    transferList: [port2],
    // The host's --import and --require would load its instrumentation here again, and trace our own requests.
    execArgv: [],
    env: {},
  })
  return { thread, port: port1, control: shared, isDisowned: false }
}
