import { type Context, context } from '@opentelemetry/api'
import { ContextHolder, enterContext } from '@throughline/trace'

/** What the active context holds now. OpenTelemetry's own manager hands out the holder that was entered. */
export function activeContext(): Context {
  const active = context.active()
  return active instanceof ContextHolder ? active.current : active
}

/**
 * Makes `entered` the active context of the caller's own frame, from here on. Without effect when the registered context
 * manager cannot do that: then the bodies of loops run in the context around the loop.
 */
export function enterFrame(entered: Context): void {
  if (!enterContext(entered)) foreignStorage()?.enterWith(entered)
}

interface Storage {
  enterWith(context: Context): void
}

/** OpenTelemetry's API cannot enter a context without a callback; its own manager keeps an AsyncLocalStorage that can. */
function foreignStorage(): Storage | undefined {
  const api = context as unknown as { _getContextManager?: () => { _asyncLocalStorage?: Partial<Storage> } }
  const storage = api._getContextManager?.()._asyncLocalStorage
  return typeof storage?.enterWith === 'function' ? (storage as Storage) : undefined
}
