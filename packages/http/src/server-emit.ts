import http, { IncomingMessage } from 'node:http'
import https from 'node:https'
import { context, ROOT_CONTEXT } from '@opentelemetry/api'
import { serverSpanOf } from './server-span.ts'

type Emit = (this: unknown, ...args: unknown[]) => boolean

/**
 * Wraps `emit` of node:http's and node:https's servers. With Throughline's context manager the request's context is
 * already entered and the call only passes through; any other context manager cannot enter one, so the handlers are run
 * in it. Either way an error that a handler throws is recorded before it ends the process.
 */
export function patchServerEmit(): () => void {
  const undo = [http.Server.prototype, https.Server.prototype].map((prototype) => patch(prototype))
  return () => {
    for (const step of undo) step()
  }
}

function patch(prototype: http.Server): () => void {
  // https.Server's prototype inherits from tls.Server: it gets a member of its own.
  const own = Object.hasOwn(prototype, 'emit')
  const holder = prototype as unknown as { emit: Emit }
  const original = holder.emit
  let enabled = true
  function emit(this: unknown, ...args: unknown[]): boolean {
    const request = args[1]
    if (!enabled || !(request instanceof IncomingMessage)) {
      // What belongs to the connection must not run in the context of the request before.
      if (enabled && args[0] === 'clientError') return context.with(ROOT_CONTEXT, original, this, ...args)
      return Reflect.apply(original, this, args)
    }
    return emitRequest({ original, server: this, args, request })
  }
  holder.emit = emit
  return () => {
    enabled = false
    if (holder.emit !== emit) return
    if (own) holder.emit = original
    else Reflect.deleteProperty(holder, 'emit')
  }
}

interface Emission {
  readonly original: Emit
  readonly server: unknown
  readonly args: unknown[]
  readonly request: IncomingMessage
}

function emitRequest({ original, server, args, request }: Emission): boolean {
  const seen = serverSpanOf(request)
  // Upgrade and CONNECT pass no channel: the socket leaves HTTP, and nobody could tell when such a span ends.
  if (seen === undefined) return Reflect.apply(original, server, args)
  try {
    if (!seen.mustRunInContext) return Reflect.apply(original, server, args)
    return context.with(seen.context, original, server, ...args)
  } catch (error) {
    seen.recordException(error)
    seen.abort()
    throw error
  }
}
