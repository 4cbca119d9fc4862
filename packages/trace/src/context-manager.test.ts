import assert from 'node:assert/strict'
import { EventEmitter, once } from 'node:events'
import { afterEach, describe, test } from 'node:test'
import {
  type Context,
  type ContextManager,
  context as contextApi,
  createContextKey,
} from '@opentelemetry/api'
import { ContextHolder, rootContext } from './context.ts'
import { AsyncContextManager, enterContext } from './context-manager.ts'

const key = createContextKey('test')
const a = rootContext.setValue(key, 'a')
const b = rootContext.setValue(key, 'b')

const manager = new AsyncContextManager()

function active(): unknown {
  return manager.active().getValue(key)
}

function read(this: { name: string }, suffix: string): string {
  return `${this.name} ${suffix} ${String(active())}`
}

describe('AsyncContextManager', () => {
  test('without anything entered the context is empty', () => {
    assert.equal(manager.active(), rootContext)
  })

  test('with: passes this and arguments, returns the result, restores after a throw', () => {
    const receiver = { name: 'receiver' }
    assert.equal(manager.with(a, read, receiver, 'x'), 'receiver x a')
    assert.throws(() => {
      manager.with(a, () => {
        throw new Error('thrown through')
      })
    }, /thrown through/)
    assert.equal(manager.active(), rootContext)
  })

  test('follows await, timers, microtasks and events of two interleaved flows', async () => {
    const emitter = new EventEmitter()
    const flow = (name: unknown) => async (): Promise<unknown[]> => {
      const seen = [active()]
      await new Promise((resolve) => setImmediate(resolve))
      seen.push(active())
      await Promise.resolve()
      queueMicrotask(() => seen.push(active()))
      const event = once(emitter, 'done')
      setImmediate(() => emitter.emit('done'))
      await event
      seen.push(active())
      return seen.every((value) => value === name) ? seen : [name, seen]
    }
    const results = await Promise.all([manager.with(a, flow('a')), manager.with(b, flow('b'))])
    assert.deepEqual(results, [
      ['a', 'a', 'a', 'a'],
      ['b', 'b', 'b', 'b'],
    ])
  })

  test('bind: a function keeps its length and its own this', () => {
    const bound = manager.bind(a, function target(this: unknown, _one: number, _two: number) {
      return [this, active()]
    })
    assert.equal(bound.length, 2)
    const receiver = { bound }
    assert.deepEqual(receiver.bound(1, 2), [receiver, 'a'])
    assert.equal(manager.bind(a, 5), 5)
  })

  test('bind: listeners of an emitter run in the context and can be taken off', () => {
    const emitter = manager.bind(a, new EventEmitter())
    const seen: unknown[] = []
    const listener = (): void => void seen.push(active())
    emitter.on('e', listener)
    emitter.once('e', () => seen.push(`once ${String(active())}`))
    emitter.prependListener('e', () => seen.push(`first ${String(active())}`))
    manager.with(b, () => emitter.emit('e'))
    assert.deepEqual([...seen], ['first a', 'a', 'once a'])
    emitter.off('e', listener)
    assert.equal(emitter.listenerCount('e'), 1)
    manager.bind(b, emitter).on('f', listener)
    emitter.emit('f')
    assert.equal(seen.at(-1), 'a', 'a known listener keeps the context it was first bound to')
    emitter.on('f', () => seen.push(active()))
    emitter.emit('f')
    assert.equal(seen.at(-1), 'b')
    emitter.once('g', listener)
    emitter.off('g', listener)
    assert.equal(emitter.listenerCount('g'), 0, 'a once listener can be taken off before it ran')
    emitter.removeAllListeners()
    assert.equal(emitter.listenerCount('f'), 0)
  })

  test('enter: a holder shows what it holds, and is not what active() hands out', () => {
    manager.with(rootContext, () => {
      const holder = new ContextHolder(a)
      manager.enter(holder)
      const kept = manager.active()
      holder.current = b
      assert.deepEqual([kept.getValue(key), active()], ['a', 'b'])
    })
    assert.equal(active(), undefined)
  })

  test('disable: nothing is active any more', () => {
    manager.with(a, () => {
      manager.disable()
      assert.equal(manager.active(), rootContext)
    })
  })
})

/** Somebody else's context manager, with all of our methods. */
class Foreign implements ContextManager {
  active(): Context {
    return rootContext
  }
  with<A extends unknown[], F extends (...args: A) => ReturnType<F>>(
    _context: Context,
    fn: F,
    _receiver?: ThisParameterType<F>,
    ...args: A
  ): ReturnType<F> {
    return fn(...args)
  }
  bind<T>(_context: Context, target: T): T {
    return target
  }
  enter(): void {
    throw new Error('not ours to call')
  }
  enable(): this {
    return this
  }
  disable(): this {
    return this
  }
}

describe('enterContext', () => {
  afterEach(() => contextApi.disable())

  test('reaches the global manager', () => {
    contextApi.setGlobalContextManager(new AsyncContextManager())
    contextApi.with(rootContext, () => {
      assert.equal(enterContext(a), true)
      assert.equal(contextApi.active().getValue(key), 'a')
    })
  })

  test('says no where the global manager is none of ours', () => {
    assert.equal(enterContext(a), false)
    contextApi.setGlobalContextManager(new Foreign())
    assert.equal(enterContext(a), false)
    assert.equal(contextApi.active(), rootContext)
  })
})
