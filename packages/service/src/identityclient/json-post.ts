/** An answer beyond this is no answer of an identity service. */
const answerBytesMax = 1024 * 1024

/** What came back. `body` is undefined where it was not JSON, or too much of it. */
export interface JsonAnswer {
  readonly status: number
  readonly body: unknown
}

export interface JsonPost {
  readonly fetch: typeof globalThis.fetch
  readonly url: string
  /** Sent as `Authorization: Bearer`. */
  readonly bearer: string | undefined
  readonly body: unknown
  readonly timeoutMs: number
  readonly signal: AbortSignal | undefined
}

/** Rejects when no answer came in time. Follows no redirect: it would carry the token elsewhere. */
export async function postJson(post: JsonPost): Promise<JsonAnswer> {
  const limit = AbortSignal.timeout(post.timeoutMs)
  const response = await post.fetch(post.url, {
    method: 'POST',
    redirect: 'manual',
    headers: {
      accept: 'application/json',
      'content-type': 'application/json',
      ...(post.bearer !== undefined && { authorization: `Bearer ${post.bearer}` }),
    },
    body: JSON.stringify(post.body),
    signal: post.signal === undefined ? limit : AbortSignal.any([limit, post.signal]),
  })
  return { status: response.status, body: await readJson(response) }
}

async function readJson(response: Response): Promise<unknown> {
  const parts: Uint8Array[] = []
  let sizeBytes = 0
  for await (const part of response.body ?? []) {
    sizeBytes += part.length
    // Leaving the loop cancels the rest.
    if (sizeBytes > answerBytesMax) return undefined
    parts.push(part)
  }
  try {
    return JSON.parse(Buffer.concat(parts).toString('utf8'))
  } catch {
    return undefined
  }
}
