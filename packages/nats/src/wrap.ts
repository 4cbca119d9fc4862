/**
 * The same object to its user, with some methods replaced. Everything else, its state and its class included, is the
 * target's; methods run on the target itself, so that their own calls are not traced a second time.
 */
export function wrap<T extends object>(
  target: T,
  replaced: Partial<T>,
  onRead?: (property: PropertyKey) => void,
): T {
  const replacements = new Map<PropertyKey, unknown>(Object.entries(replaced))
  const bound = new Map<PropertyKey, { readonly method: unknown; readonly bound: unknown }>()
  return new Proxy(target, {
    get(_, property) {
      const replacement = replacements.get(property)
      if (replacement !== undefined) return replacement
      const value: unknown = Reflect.get(target, property, target)
      if (typeof value !== 'function' || property === 'constructor') {
        onRead?.(property)
        return value
      }
      const known = bound.get(property)
      if (known?.method === value) return known.bound
      // Not bind(): V8 takes no bound function for `await using` (Node 24).
      const method = (...args: unknown[]): unknown => Reflect.apply(value, target, args)
      bound.set(property, { method: value, bound: method })
      return method
    },
    set(_, property, value) {
      // Somebody else who replaces a method of ours means it.
      replacements.delete(property)
      return Reflect.set(target, property, value, target)
    },
  })
}

const traced = new WeakSet<object>()

/** Notes that an object has its tracing, so that it gets none a second time. */
export function markTraced<T extends object>(object: T): T {
  traced.add(object)
  return object
}

export function isTraced(object: object): boolean {
  return traced.has(object)
}
