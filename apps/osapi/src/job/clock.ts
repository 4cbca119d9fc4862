let last = 0n

/** Wall time in nanoseconds, larger at every call: keys made of it never collide within a process. */
export function unixNano(): bigint {
  // The wall clock has milliseconds; the monotonic one only tells calls within one of them apart.
  const now = BigInt(Date.now()) * 1_000_000n + (process.hrtime.bigint() % 1_000_000n)
  last = now > last ? now : last + 1n
  return last
}

/** RFC 3339 with nanoseconds, as Go's RFC3339Nano without trailing zeros. */
export function rfc3339Nano(nano: bigint): string {
  const seconds = new Date(Number(nano / 1_000_000_000n) * 1000).toISOString().slice(0, 19)
  const fraction = String(nano % 1_000_000_000n)
    .padStart(9, '0')
    .replace(/0+$/, '')
  return fraction === '' ? `${seconds}Z` : `${seconds}.${fraction}Z`
}

/** RFC 3339 in whole seconds. */
export function rfc3339(date: Date = new Date()): string {
  return `${date.toISOString().slice(0, 19)}Z`
}
