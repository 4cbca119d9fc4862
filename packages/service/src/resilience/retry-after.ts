/** A peer cannot hold a request up for longer than this. */
const retryAfterMsMax = 60_000

/** https://www.rfc-editor.org/rfc/rfc9110#field.retry-after: seconds or an HTTP date; undefined for anything else. */
export function retryAfterMs(response: Response, nowMs: number): number | undefined {
  const text = response.headers.get('retry-after')?.trim() ?? ''
  if (/^\d{1,9}$/.test(text)) return Math.min(Number(text) * 1000, retryAfterMsMax)
  // Date.parse also takes texts such as "1.5", which no HTTP date looks like.
  const dateMs = /^[A-Z][a-z]{2}/.test(text) ? Date.parse(text) : Number.NaN
  return Number.isNaN(dateMs) ? undefined : Math.min(Math.max(dateMs - nowMs, 0), retryAfterMsMax)
}
