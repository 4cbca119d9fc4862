import { type Context, context, createContextKey, type SpanContext } from '@opentelemetry/api'

/** An operation with a span of its own, inside of which the client's further calls are details. */
export interface QuietScope {
  /** Hears of the writer of every stored message that is read in the scope. */
  readonly onWriter?: (writer: SpanContext) => void
}

const quietKey = createContextKey('throughline.nats.quiet')
const plainScope: QuietScope = {}

/** The scope of the calls that are running now. Calls of the client's own come after an await as well: those see the context. */
let running: QuietScope | undefined

/** Runs `call` in `within`: what the client sends and subscribes to in it makes no spans. */
export function quietly<T>(within: Context, call: () => T, scope: QuietScope = plainScope): T {
  const outer = running
  running = scope
  try {
    return context.with(within.setValue(quietKey, scope), call)
  } finally {
    running = outer
  }
}

/** The scope that this code runs in, if any. */
export function quietScope(active: Context = context.active()): QuietScope | undefined {
  // Only quietly() knows the key, so that nothing else can be there.
  return running ?? (active.getValue(quietKey) as QuietScope | undefined)
}

/** For what leaves the scope, such as a message that is handed to its handler. */
export function unquiet(from: Context): Context {
  return from.getValue(quietKey) === undefined ? from : from.deleteValue(quietKey)
}
