export type LensAnswer<T> = { readonly value: T } | { readonly error: string }

/** Asks a running Lens. Whatever goes wrong comes back as a sentence for the user. */
export async function askLens<T>(url: string, path: string): Promise<LensAnswer<T>> {
  let response: Response
  try {
    response = await fetch(url + path, { signal: AbortSignal.timeout(timeoutMs) })
  } catch (error) {
    return { error: `Lens does not answer at ${url} (${reasonOf(error)}). Start it with: throughline lens` }
  }
  const body: unknown = await response.json().catch(() => undefined)
  // Lens answered: what it answers is what its own API promises.
  if (response.ok && body !== undefined) return { value: body as T }
  const message = (body as { error?: { message?: unknown } } | undefined)?.error?.message
  if (typeof message === 'string') return { error: message }
  return { error: `${url} answered ${response.status}, not as Lens does. Is another program on that port?` }
}

const timeoutMs = 30_000

function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error)
  if (error.name === 'TimeoutError') return `no answer within ${timeoutMs} ms`
  const { cause } = error
  return cause instanceof Error ? (cause as NodeJS.ErrnoException).code || cause.message : error.message
}
