import { readFileSync, statSync } from 'node:fs'
import { describeError } from './answer.ts'

export interface ReloadedFilesOptions<Value> {
  /** By the names that `parse` knows them by. */
  readonly paths: Readonly<Record<string, string>>
  /** Makes the value of the files' texts. What it throws is shown: it MUST NOT contain what the files say. */
  readonly parse: (texts: Readonly<Record<string, string>>) => Value
  /** Gets one line when changed files cannot be used and the old ones stay. */
  readonly say: (message: string) => void
}

/** `version` grows with each change of the files that was taken. */
export type ReadFiles<Value> =
  | { readonly value: Value; readonly version: number; readonly cause?: undefined }
  | { readonly cause: string; readonly value?: undefined }

/**
 * A value made of files that somebody may replace while we run. They are looked at when the value is wanted, not watched:
 * a look costs some microseconds of a thread that has time, and a watcher loses a file that is replaced by renaming, or by
 * the swap of a symlinked folder as Kubernetes does it.
 *
 * Files that are bad or half written change nothing: the old value stays, and that is said once until they change again.
 */
export class ReloadedFiles<Value> {
  readonly #options: ReloadedFilesOptions<Value>
  #current: { readonly value: Value; readonly version: number } | undefined
  #seen: string | undefined
  #cause = ''

  constructor(options: ReloadedFilesOptions<Value>) {
    this.#options = options
  }

  /** The value of the files as they are, else as they were when they could be used last, else why they never could. */
  read(): ReadFiles<Value> {
    // Before reading: what is written between these two is seen by the next look.
    const seen = this.#look()
    if (seen !== this.#seen) {
      this.#seen = seen
      this.#load()
    }
    return this.#current ?? { cause: this.#cause }
  }

  #load(): void {
    const { parse, paths, say } = this.#options
    try {
      const texts = Object.entries(paths).map(([name, path]) => [name, readFileSync(path, 'utf8')])
      this.#current = {
        value: parse(Object.fromEntries(texts)),
        version: (this.#current?.version ?? 0) + 1,
      }
    } catch (error) {
      this.#cause = `cannot use ${Object.values(paths).join(', ')}: ${describeError(error)}`
      if (this.#current !== undefined) say(`${this.#cause}; what was read before stays in use`)
    }
  }

  /** Differs when a file was written, replaced, or reached by another path. A missing file is a state as well. */
  #look(): string {
    return Object.values(this.#options.paths)
      .map((path) => {
        const stat = statSync(path, { bigint: true, throwIfNoEntry: false })
        return stat === undefined
          ? '-'
          : `${stat.dev}:${stat.ino}:${stat.size}:${stat.mtimeNs}:${stat.ctimeNs}`
      })
      .join()
  }
}
