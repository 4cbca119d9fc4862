import { AsyncLocalStorage } from 'node:async_hooks'
import { EventEmitter } from 'node:events'
import type { Context, ContextManager } from '@opentelemetry/api'
import { bindEmitter } from './bind-emitter.ts'
import { ContextHolder, rootContext } from './context.ts'

/**
 * OpenTelemetry's context manager over AsyncLocalStorage. `active()` gives an empty context where none was entered.
 */
export class AsyncContextManager implements ContextManager {
  readonly #storage = new AsyncLocalStorage<Context>()

  active(): Context {
    const stored = this.#storage.getStore()
    if (stored === undefined) return rootContext
    // Whoever keeps the active context means what it holds now, not what the holder will hold for the next item.
    return stored instanceof ContextHolder ? stored.current : stored
  }

  with<A extends unknown[], F extends (...args: A) => ReturnType<F>>(
    context: Context,
    fn: F,
    thisArg?: ThisParameterType<F>,
    ...args: A
  ): ReturnType<F> {
    if (thisArg === undefined) return this.#storage.run(context, fn, ...args)
    return this.#storage.run(context, () => fn.apply(thisArg, args))
  }

  /**
   * A function that runs in `context` whenever it is called, or the same EventEmitter with listeners that are added from
   * now on running in `context`. Anything else is returned as it is.
   */
  bind<T>(context: Context, target: T): T {
    if (target instanceof EventEmitter) {
      bindEmitter(target, (listener) => this.#bindFunction(context, listener))
      return target
    }
    // A wrapper takes the same arguments and gives the same result, so it is a T to everyone who calls it.
    return typeof target === 'function' ? (this.#bindFunction(context, target) as T) : target
  }

  /** Makes `context` the active one for the rest of this synchronous run and everything it starts. */
  enter(context: Context): void {
    this.#storage.enterWith(context)
  }

  enable(): this {
    return this
  }

  disable(): this {
    this.#storage.disable()
    return this
  }

  #bindFunction(context: Context, target: Function): (...args: unknown[]) => unknown {
    const storage = this.#storage
    function bound(this: unknown, ...args: unknown[]): unknown {
      return storage.run(context, () => Reflect.apply(target, this, args) as unknown)
    }
    // Frameworks read a handler's length (Express tells error handlers by it).
    Object.defineProperty(bound, 'length', { configurable: true, value: target.length })
    return bound
  }
}

/** Where @opentelemetry/api 1.x keeps what was registered; shared by all copies of the API in the process. */
const globalApiKey = Symbol.for('opentelemetry.js.api.1')

/**
 * Makes `context` the active one for the rest of this synchronous run and everything it starts; the API has no such
 * call. Returns false, and does nothing, when the registered context manager is not an {@link AsyncContextManager}.
 */
export function enterContext(context: Context): boolean {
  const api = (globalThis as Record<symbol, { context?: unknown } | undefined>)[globalApiKey]
  const manager = api?.context
  if (!(manager instanceof AsyncContextManager)) return false
  manager.enter(context)
  return true
}
