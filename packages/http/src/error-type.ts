/**
 * A low-cardinality name of what was thrown: an error's code (`ECONNRESET`), that of its cause (fetch wraps what failed
 * below it), else its class. https://opentelemetry.io/docs/specs/semconv/registry/attributes/error/#error-type
 */
export function typeName(thrown: unknown): string {
  if (!(thrown instanceof Error)) return typeof thrown
  return codeOf(thrown) ?? codeOf(thrown.cause) ?? (thrown.name === '' ? 'Error' : thrown.name)
}

export function messageOf(thrown: unknown): string {
  return thrown instanceof Error ? thrown.message : String(thrown)
}

function codeOf(thrown: unknown): string | undefined {
  if (!(thrown instanceof Error)) return undefined
  const { code } = thrown as { code?: unknown }
  return typeof code === 'string' && code !== '' ? code : undefined
}
