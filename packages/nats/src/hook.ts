import { tracingOf } from './connections.ts'
import type { NatsTracing } from './tracing.ts'

/** One call of a hooked method on an object that belongs to a traced connection. */
export interface HookedCall<T, A extends unknown[], R> {
  readonly tracing: NatsTracing
  readonly self: T
  readonly args: A
  /** What the client's own method does, with these arguments. */
  readonly untraced: (...args: A) => R
}

export interface Hook<T, A extends unknown[], R> {
  /** The connection that the object was made with. */
  readonly connectionOf: (self: T) => unknown
  readonly traced: (call: HookedCall<T, A, R>) => R
}

type Method<A extends unknown[], R> = (this: object, ...args: A) => R

const hooked = new WeakSet<object>()

/**
 * Replaces a method of one of the client's classes, once. For objects on a connection of traceNats it does what `traced`
 * says; for all others it is the client's own method and nothing else. A class without such a method stays as it is.
 */
export function hookMethod<T extends object, A extends unknown[], R>(
  prototype: object,
  name: string,
  { connectionOf, traced }: Hook<T, A, R>,
): void {
  const descriptor = Object.getOwnPropertyDescriptor(prototype, name)
  const original: unknown = descriptor?.value
  if (descriptor === undefined || typeof original !== 'function' || hooked.has(original)) return
  // What the class declares is what the caller has said of it.
  const untraced = original as Method<A, R>
  const replacement: Method<A, R> = function (...args) {
    // The prototype's own objects.
    const self = this as T
    const tracing = tracingOf(connectionOf(self))
    if (tracing === undefined) return untraced.apply(this, args)
    return traced({ tracing, self, args, untraced: (...changed) => untraced.apply(this, changed) })
  }
  Object.defineProperty(replacement, 'name', { value: untraced.name })
  Object.defineProperty(replacement, 'length', { value: untraced.length })
  hooked.add(replacement)
  hooked.add(prototype)
  Object.defineProperty(prototype, name, { ...descriptor, value: replacement })
}

/** True for an object of a hooked class on a traced connection: it needs no wrapper. */
export function isHooked(object: object, connection: unknown): boolean {
  return tracingOf(connection) !== undefined && hooked.has(Object.getPrototypeOf(object))
}
