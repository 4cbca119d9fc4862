import type { IncomingMessage } from 'node:http'
import type { Socket } from 'node:net'
import { context, ROOT_CONTEXT } from '@opentelemetry/api'
import { http, net } from './node-builtins.ts'
import { type ServerSpan, serverSpanOf } from './server-span.ts'
import { startUpgradeSpan } from './server-upgrade.ts'
import type { HttpTracing } from './trace.ts'

type Emit = (this: unknown, ...args: unknown[]) => boolean

/**
 * Wraps `emit` of net.Server, from which node:http's and node:https's servers inherit it: one place for both, and
 * node:https with its cryptography is not loaded for a program that does without. With Throughline's context manager the
 * request's context is already entered and the call only passes through; any other context manager cannot enter one, so
 * the handlers are run in it. Either way an error that a handler throws is recorded before it ends the process.
 */
export function patchServerEmit(tracing: HttpTracing): () => void {
  const holder = net.Server.prototype as unknown as { emit: Emit }
  const own = Object.hasOwn(holder, 'emit')
  const original = holder.emit
  let enabled = true
  function emit(this: unknown, ...args: unknown[]): boolean {
    if (!enabled) return Reflect.apply(original, this, args)
    const [event, request] = args
    if (request instanceof http.IncomingMessage) {
      const seen =
        event === 'upgrade' || event === 'connect' ? startUpgrade(tracing, args) : serverSpanOf(request)
      if (seen !== undefined) return emitInSpan(seen, original, this, args)
    }
    // A broken request must not be handled in the context of the one before it on the same connection.
    if (event === 'clientError') return context.with(ROOT_CONTEXT, original, this, ...args)
    return Reflect.apply(original, this, args)
  }
  holder.emit = emit
  return () => {
    enabled = false
    // Somebody may have patched it after us; then ours stays in the chain and does nothing.
    if (holder.emit !== emit) return
    if (own) holder.emit = original
    else Reflect.deleteProperty(holder, 'emit')
  }
}

/** Upgrade and CONNECT pass no channel. */
function startUpgrade(tracing: HttpTracing, args: readonly unknown[]): ServerSpan | undefined {
  // Node's documented arguments of both events: request, socket, head.
  const [, request, socket] = args as [string, IncomingMessage, Socket]
  const seen = tracing.guard('an upgrade', undefined, () => startUpgradeSpan(tracing, request, socket))
  if (seen !== undefined) seen.mustRunInContext = true
  return seen
}

function emitInSpan(seen: ServerSpan, original: Emit, server: unknown, args: unknown[]): boolean {
  try {
    if (!seen.mustRunInContext) return Reflect.apply(original, server, args)
    return context.with(seen.context, original, server, ...args)
  } catch (error) {
    seen.recordException(error)
    seen.abort()
    throw error
  }
}
