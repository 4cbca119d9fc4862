import { type Context, createContextKey, ROOT_CONTEXT, type Span, trace } from '@opentelemetry/api'

/** The API's own key of the active span: keys are made with Symbol.for, so the name gives the same symbol. */
const spanKey: symbol = createContextKey('OpenTelemetry Context Key SPAN')
/** The key that OpenTelemetry's exporters set around their own requests, so that these are not traced. */
const suppressTracingKey: symbol = createContextKey('OpenTelemetry SDK Context Key SUPPRESS_TRACING')

interface Entry {
  readonly key: symbol
  readonly value: unknown
  readonly next: Entry | undefined
}

/**
 * An immutable context: the span in a slot of its own, everything else in a chain with one entry per key. Setting a span
 * costs one small object, where a copied Map would cost one per request and span.
 */
export class SlotContext implements Context {
  declare readonly span: Span | undefined
  declare private readonly entries: Entry | undefined

  constructor(span: Span | undefined, entries: Entry | undefined) {
    this.span = span
    this.entries = entries
  }

  getValue(key: symbol): unknown {
    return key === spanKey ? this.span : findEntry(this.entries, key)?.value
  }

  setValue(key: symbol, value: unknown): SlotContext {
    // The API stores spans only; whoever writes something else under its private key gets that back.
    if (key === spanKey) return new SlotContext(value as Span | undefined, this.entries)
    return new SlotContext(this.span, { key, value, next: withoutEntry(this.entries, key) })
  }

  deleteValue(key: symbol): SlotContext {
    if (key === spanKey) return new SlotContext(undefined, this.entries)
    return new SlotContext(this.span, withoutEntry(this.entries, key))
  }

  withSpan(span: Span | undefined): SlotContext {
    return new SlotContext(span, this.entries)
  }
}

/** The empty context. */
export const rootContext: SlotContext = new SlotContext(undefined, undefined)

/**
 * A context whose content is filled in later, once. For iterators: `next()` enters a holder in the consumer's async
 * context and fills it when the item arrives, so that the body of a `for await` runs inside the item's span.
 */
export class ContextHolder implements Context {
  current: Context

  constructor(initial: Context) {
    this.current = initial
  }

  getValue(key: symbol): unknown {
    return this.current.getValue(key)
  }

  setValue(key: symbol, value: unknown): Context {
    return this.current.setValue(key, value)
  }

  deleteValue(key: symbol): Context {
    return this.current.deleteValue(key)
  }
}

/** What `trace.getSpan` gives, without the Map lookup when the context is ours. */
export function spanOf(context: Context): Span | undefined {
  return context instanceof SlotContext ? context.span : trace.getSpan(context)
}

/** What `trace.setSpan` gives; a child of the API's ROOT_CONTEXT becomes one of ours. */
export function contextWithSpan(context: Context, span: Span): Context {
  if (context instanceof SlotContext) return context.withSpan(span)
  return context === ROOT_CONTEXT ? rootContext.withSpan(span) : context.setValue(spanKey, span)
}

/** True inside work that must not be traced, such as an exporter's own requests. */
export function isTracingSuppressed(context: Context): boolean {
  return context.getValue(suppressTracingKey) === true
}

/** A context in which nothing is traced. */
export function suppressTracing(context: Context): Context {
  return context.setValue(suppressTracingKey, true)
}

function findEntry(entries: Entry | undefined, key: symbol): Entry | undefined {
  for (let entry = entries; entry !== undefined; entry = entry.next) {
    if (entry.key === key) return entry
  }
  return undefined
}

/** The chain without a key; the same chain when the key is not in it. A chain that only grew would leak in long loops. */
function withoutEntry(entries: Entry | undefined, key: symbol): Entry | undefined {
  if (findEntry(entries, key) === undefined) return entries
  let rest: Entry | undefined
  for (let entry = entries; entry !== undefined; entry = entry.next) {
    if (entry.key !== key) rest = { key: entry.key, value: entry.value, next: rest }
  }
  return rest
}
