import { createHash } from 'node:crypto'
import { LRUCache } from 'lru-cache'
import { IdentityError } from './identity-error.ts'
import { type Introspection, parseIntrospection } from './introspection.ts'
import { type JsonAnswer, type JsonPost, postJson } from './json-post.ts'

const entriesMax = 10_000

export interface IntrospectorOptions {
  readonly url: string
  readonly fetch: JsonPost['fetch']
  readonly requestTimeoutMs: number
  /** 0: nothing is kept. */
  readonly cacheTtlMs: number
  /** Monotonic milliseconds. */
  readonly now: () => number
}

interface Kept {
  readonly introspection: Introspection
  readonly sinceMs: number
}

/**
 * Asks the identity service about tokens. The cache is no read cache: each call asks, and what was answered before counts
 * only while the service cannot be asked (stale on error).
 */
export class Introspector {
  readonly #options: IntrospectorOptions
  readonly #cache = new LRUCache<string, Kept>({ max: entriesMax })

  constructor(options: IntrospectorOptions) {
    this.#options = options
  }

  async introspect(token: string, signal?: AbortSignal): Promise<Introspection> {
    // The cache never holds a token, so that no heap dump shows one.
    const key = createHash('sha256').update(token).digest('base64')
    let answer: JsonAnswer
    try {
      const { url, fetch, requestTimeoutMs: timeoutMs } = this.#options
      answer = await postJson({ url, fetch, timeoutMs, bearer: token, body: {}, signal })
    } catch (error) {
      signal?.throwIfAborted()
      return this.#stale(key, 'no answer', error)
    }
    const { status } = answer
    if (status === 408 || status === 429 || status < 200 || status >= 500 || (status >= 300 && status < 400))
      return this.#stale(key, `status ${status}`)
    if (status >= 400) {
      this.#cache.delete(key)
      throw new IdentityError('invalid_token', `the identity service refused the token (status ${status})`)
    }
    const introspection = parseIntrospection(answer.body)
    if (introspection === undefined) return this.#stale(key, 'an answer that is no introspection')
    if (!introspection.active) {
      this.#cache.delete(key)
      throw new IdentityError('inactive_token', 'the token is not active')
    }
    if (this.#options.cacheTtlMs > 0) this.#cache.set(key, { introspection, sinceMs: this.#options.now() })
    return introspection
  }

  #stale(key: string, trouble: string, cause?: unknown): Introspection {
    const kept = this.#cache.get(key)
    if (kept !== undefined && this.#options.now() - kept.sinceMs < this.#options.cacheTtlMs)
      return kept.introspection
    throw new IdentityError('identity_unavailable', `the identity service cannot be asked: ${trouble}`, {
      cause,
    })
  }
}
