/**
 * True when `url` (path and query as in the request line) is one of `paths` or lies below it. Whole segments count:
 * `/health` takes `/health`, `/health/` and `/health/live?x=1`, not `/healthy`.
 */
export function isExcluded(url: string, paths: readonly string[]): boolean {
  for (const path of paths) {
    if (!url.startsWith(path)) continue
    if (url.length === path.length) return true
    const next = url.charCodeAt(path.length)
    if (next === 0x2f || next === 0x3f) return true
  }
  return false
}

/** The paths without the slash at the end, so that `/static/` means the same as `/static`. */
export function normalizeExcludedPaths(paths: readonly string[]): readonly string[] {
  return paths.map((path) => (path.endsWith('/') ? path.slice(0, -1) : path))
}
