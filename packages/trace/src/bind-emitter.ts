import type { EventEmitter } from 'node:events'

type Listener = (...args: unknown[]) => void
type Add = (event: string | symbol, listener: Listener) => EventEmitter

const adders = ['addListener', 'on', 'prependListener', 'once', 'prependOnceListener'] as const
const removers = ['removeListener', 'off'] as const

/** Emitters that were bound once: a second binding would wrap wrappers. */
const boundEmitters = new WeakMap<EventEmitter, (listener: Listener) => Listener>()

/**
 * Changes one emitter so that listeners added from now on pass through `wrap`. They can be removed by the function that
 * was added. Binding an emitter again replaces the wrap for listeners added later.
 */
export function bindEmitter(emitter: EventEmitter, wrap: (listener: Listener) => Listener): void {
  if (boundEmitters.has(emitter)) {
    boundEmitters.set(emitter, wrap)
    return
  }
  boundEmitters.set(emitter, wrap)
  const wrappers = new WeakMap<Listener, Listener>()
  // Node's own once() calls this.on() with a wrapper of its own: what is already being added must not be wrapped twice.
  let adding = false
  for (const name of adders) {
    const original = emitter[name] as Add
    emitter[name] = function add(this: EventEmitter, event: string | symbol, listener: Listener) {
      if (adding || typeof listener !== 'function') return Reflect.apply(original, this, [event, listener])
      let wrapped = wrappers.get(listener)
      if (wrapped === undefined) {
        wrapped = (boundEmitters.get(emitter) ?? wrap)(listener)
        wrappers.set(listener, wrapped)
      }
      adding = true
      try {
        return Reflect.apply(original, this, [event, wrapped])
      } finally {
        adding = false
      }
    } as typeof emitter.on
  }
  for (const name of removers) {
    const original = emitter[name] as Add
    emitter[name] = function remove(this: EventEmitter, event: string | symbol, listener: Listener) {
      return Reflect.apply(original, this, [event, wrappers.get(listener) ?? listener])
    } as typeof emitter.off
  }
}
