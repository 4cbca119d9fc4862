/** Far more than anything here takes on a busy machine: reached only when something never comes. */
const limitMs = 30_000

/**
 * Looks now and whenever one of `watchers` is called, until there is something. Rejects with what `look` throws, and
 * with `why()` when nothing has come in that time.
 */
export function eventually<T>(
  look: () => T | undefined,
  watchers: Set<() => void>,
  why: () => string,
): Promise<T> {
  return new Promise((resolve, reject) => {
    const finish = (): void => {
      clearTimeout(timer)
      watchers.delete(watch)
    }
    const watch = (): void => {
      try {
        const found = look()
        if (found === undefined) return
        finish()
        resolve(found)
      } catch (error) {
        finish()
        reject(error)
      }
    }
    const timer = setTimeout(() => {
      finish()
      reject(new Error(why()))
    }, limitMs)
    watchers.add(watch)
    watch()
  })
}
