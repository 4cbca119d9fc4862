import type { EventEmitter } from 'node:events'
import { type Context, context as contextApi } from '@opentelemetry/api'

const eventContextKey: unique symbol = Symbol('throughline.http.event-context')

type Emit = (this: BoundEmitter, event: string | symbol, ...args: unknown[]) => boolean

interface BoundEmitter {
  [eventContextKey]?: Context
  emit: Emit
}

/**
 * Lets all events of one request or response be emitted in `context`. The chunks of a body arrive in later turns of the
 * event loop, in the connection's context (in every context on Node 24, whatever was entered before), so listeners of
 * `data` and `end`, and all that a body parser calls, would lose the request's.
 */
export function runEventsInContext(emitter: EventEmitter, context: Context): void {
  const bound = emitter as unknown as BoundEmitter
  bound[eventContextKey] = context
  bound.emit = emitInContext
}

function emitInContext(this: BoundEmitter, ...args: [string | symbol, ...unknown[]]): boolean {
  const prototype = Object.getPrototypeOf(this) as BoundEmitter
  const { [eventContextKey]: context } = this
  if (context === undefined) return Reflect.apply(prototype.emit, this, args)
  return contextApi.with(context, prototype.emit, this, ...args)
}
