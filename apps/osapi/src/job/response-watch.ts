import type { KV } from '@nats-io/kv'
import type { Logger } from 'pino'
import type { Bus } from './bus.ts'
import type { JobResponse } from './model.ts'
import { retryUntilDone } from './retry.ts'
import type { JobStore } from './store.ts'

/** Gets each host's response to a job once. */
export type OnResponse = (host: string, response: JobResponse) => void

/**
 * One watch of all responses for a whole process, instead of a consumer for each request: requests wait for theirs here.
 * After a reconnect those that wait are looked up, so that no answer is missed.
 */
export class ResponseWatch {
  readonly #bus: Bus
  readonly #store: JobStore
  readonly #logger: Logger
  readonly #stop = new AbortController()
  readonly #waiting = new Map<string, { readonly seen: Set<string>; readonly onResponse: OnResponse }>()
  /** Every response's job and host, for those who keep count of what is open. */
  onAny: ((id: string, host: string) => void) | undefined

  constructor(parts: { readonly bus: Bus; readonly store: JobStore; readonly logger: Logger }) {
    this.#bus = parts.bus
    this.#store = parts.store
    this.#logger = parts.logger
  }

  /** Resolves when the watch is there; it is kept up until stop(). */
  async start(): Promise<void> {
    const entries = await this.#open()
    void this.#follow(entries)
    void this.#followReconnects()
  }

  stop(): void {
    this.#stop.abort()
  }

  /** Reports the responses to a job from now on, until the returned function is called. */
  expect(id: string, onResponse: OnResponse): () => void {
    this.#waiting.set(id, { seen: new Set(), onResponse })
    return () => this.#waiting.delete(id)
  }

  #open(): ReturnType<KV['watch']> {
    return this.#bus.jobs.watch({ key: 'responses.>', include: 'updates', ignoreDeletes: true })
  }

  async #follow(first: Awaited<ReturnType<KV['watch']>>): Promise<void> {
    const { signal } = this.#stop
    let entries = first
    while (!signal.aborted) {
      const close = () => entries.stop()
      signal.addEventListener('abort', close)
      for await (const entry of entries) {
        if (entry.operation === 'PUT') this.#take(entry.key, () => entry.json<JobResponse>())
      }
      signal.removeEventListener('abort', close)
      if (signal.aborted || this.#bus.nc.isClosed()) return
      this.#logger.warn('watch of job responses ended, opening it again')
      entries = await retryUntilDone(() => this.#open(), { signal })
      await this.#lookUp()
    }
  }

  async #followReconnects(): Promise<void> {
    for await (const status of this.#bus.nc.status()) {
      if (status.type === 'reconnect') await this.#lookUp()
    }
  }

  async #lookUp(): Promise<void> {
    for (const id of this.#waiting.keys()) {
      try {
        for (const [host, response] of await this.#store.responses(id)) this.#give(id, host, response)
      } catch (error) {
        this.#logger.warn({ error }, 'responses cannot be looked up')
      }
    }
  }

  #take(key: string, response: () => JobResponse): void {
    const [, id = '', host = ''] = key.split('.')
    this.onAny?.(id, host)
    if (!this.#waiting.has(id)) return
    try {
      this.#give(id, host, response())
    } catch (error) {
      this.#logger.warn({ error, key }, 'malformed job response')
    }
  }

  #give(id: string, host: string, response: JobResponse): void {
    const waiting = this.#waiting.get(id)
    if (waiting === undefined || waiting.seen.has(host)) return
    waiting.seen.add(host)
    waiting.onResponse(host, response)
  }
}
