import { readFileSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { createSecureContext } from 'node:tls'
import { errorText } from '../error-text.ts'
import type { ServiceLogger } from '../logger.ts'
import { MtlsError } from './mtls-error.ts'

/** Paths of PEM files. */
export interface TlsFiles {
  /** Who is trusted. */
  readonly ca?: string | undefined
  /** What this side shows. Needs `key`. */
  readonly cert?: string | undefined
  readonly key?: string | undefined
}

/** What was in the files. */
export interface TlsMaterial {
  readonly ca?: string
  readonly cert?: string
  readonly key?: string
}

export interface TlsReloading {
  /** How often the files are looked at. Default 5,000; 0: never. */
  readonly reloadIntervalMs?: number | undefined
  readonly logger?: ServiceLogger | undefined
}

const names = ['ca', 'cert', 'key'] as const

/**
 * The content of TLS files, read again when it changes. A file that cannot be read or used, for example because it is
 * being written, leaves what was there before in place and is logged once.
 */
export class WatchedTlsFiles {
  readonly #files: TlsFiles
  readonly #logger: ServiceLogger | undefined
  readonly #listeners = new Set<(material: TlsMaterial) => void>()
  readonly #timer: NodeJS.Timeout | undefined
  #current: TlsMaterial
  #trouble = ''

  /** Reads the files. Throws an MtlsError that names the one that cannot be used. */
  constructor(files: TlsFiles, { reloadIntervalMs = 5_000, logger }: TlsReloading) {
    if ((files.cert === undefined) !== (files.key === undefined))
      throw new MtlsError('invalid_option', 'cert and key belong together; one of them is missing')
    if (!Number.isSafeInteger(reloadIntervalMs) || reloadIntervalMs < 0)
      throw new MtlsError(
        'invalid_option',
        `reloadIntervalMs ${reloadIntervalMs} must be a whole number from 0`,
      )
    this.#files = files
    this.#logger = logger
    this.#current = usable(files, readNow(files))
    if (reloadIntervalMs > 0)
      this.#timer = setInterval(() => {
        void this.check()
      }, reloadIntervalMs).unref()
  }

  get current(): TlsMaterial {
    return this.#current
  }

  onChange(listener: (material: TlsMaterial) => void): void {
    this.#listeners.add(listener)
  }

  /** Looks at the files now. Resolves with whether there is something new in them; never rejects. */
  async check(): Promise<boolean> {
    try {
      const found = await readAgain(this.#files)
      if (names.every((name) => found[name] === this.#current[name])) return false
      this.#current = usable(this.#files, found)
      this.#trouble = ''
      this.#logger?.info({ files: this.#files }, 'certificates reloaded')
      for (const listener of this.#listeners) listener(this.#current)
      return true
    } catch (error) {
      const trouble = errorText(error)
      if (trouble !== this.#trouble)
        this.#logger?.error(
          { files: this.#files, error: trouble },
          'certificates not reloaded, the old ones stay',
        )
      this.#trouble = trouble
      return false
    }
  }

  close(): void {
    clearInterval(this.#timer)
    this.#listeners.clear()
  }
}

function readNow(files: TlsFiles): TlsMaterial {
  const material: { ca?: string; cert?: string; key?: string } = {}
  for (const name of names) {
    const path = files[name]
    if (path === undefined) continue
    try {
      material[name] = readFileSync(path, 'utf8')
    } catch (cause) {
      throw unreadable(name, path, cause)
    }
  }
  return material
}

async function readAgain(files: TlsFiles): Promise<TlsMaterial> {
  const material: { ca?: string; cert?: string; key?: string } = {}
  for (const name of names) {
    const path = files[name]
    if (path !== undefined)
      material[name] = await readFile(path, 'utf8').catch((cause: unknown) => {
        throw unreadable(name, path, cause)
      })
  }
  return material
}

function unreadable(name: string, path: string, cause: unknown): MtlsError {
  const text = errorText(cause)
  return new MtlsError('unreadable_file', `${name} "${path}" cannot be read: ${text}`, { cause })
}

function usable(files: TlsFiles, material: TlsMaterial): TlsMaterial {
  try {
    createSecureContext(material)
    return material
  } catch (cause) {
    const paths = names.flatMap((name) => files[name] ?? []).join(', ')
    const text = errorText(cause)
    throw new MtlsError('unusable_certificate', `${paths}: ${text}`, { cause })
  }
}
