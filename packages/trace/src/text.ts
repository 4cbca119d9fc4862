type Primitive = string | number | bigint | boolean | null | undefined

/**
 * The text of a value that should be text. JavaScript callers pass what they like; a name must not become an exception
 * in the host.
 */
export function toText(value: unknown): string {
  if (typeof value === 'string') return value
  try {
    return value instanceof Object ? (JSON.stringify(value) ?? typeof value) : `${value as Primitive}`
  } catch {
    return typeof value
  }
}
