import { type Context, context } from '@opentelemetry/api'

/**
 * A context that says what another one says, which changes once: entered when a loop asks for its next message, filled
 * when the message is there.
 */
export class MessageContext implements Context {
  readonly base: Context
  readonly #owner: object
  #current: Context

  /** `active` is the context of the frame that asks; `owner` stands for the loop. */
  constructor(active: Context, owner: object) {
    this.base = around(active, owner)
    this.#owner = owner
    this.#current = this.base
  }

  fill(current: Context): void {
    this.#current = current
  }

  clear(): void {
    this.#current = this.base
  }

  /** True when this frame is still in the loop of `owner`, or in what a loop inside of it has left behind. */
  isLeftBehindBy(owner: object): boolean {
    return this.#owner === owner || this.#current === this.base
  }

  getValue(key: symbol): unknown {
    return this.#current.getValue(key)
  }

  setValue(key: symbol, value: unknown): Context {
    return this.#current.setValue(key, value)
  }

  deleteValue(key: symbol): Context {
    return this.#current.deleteValue(key)
  }
}

/** The context around the loop of `owner`: the contexts of its messages must not make a chain, one on the other. */
export function around(active: Context, owner: object): Context {
  let context = active
  while (context instanceof MessageContext && context.isLeftBehindBy(owner)) context = context.base
  return context
}

interface Storage {
  enterWith(context: Context): void
}

/**
 * Makes `entered` the active context of the caller's own frame, from here on. False when the registered context manager
 * cannot: then bodies of loops run in the context around the loop.
 */
export function enter(entered: Context): boolean {
  const storage = activeStorage()
  storage?.enterWith(entered)
  return storage !== undefined
}

/** OpenTelemetry's API has no way to enter a context without a callback; its own manager keeps an AsyncLocalStorage. */
function activeStorage(): Storage | undefined {
  const api = context as unknown as { _getContextManager?: () => { _asyncLocalStorage?: Partial<Storage> } }
  const storage = api._getContextManager?.()._asyncLocalStorage
  return typeof storage?.enterWith === 'function' ? (storage as Storage) : undefined
}
