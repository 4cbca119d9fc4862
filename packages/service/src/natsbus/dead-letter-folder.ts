import { mkdir, open, readdir, readFile, rename, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { z } from 'zod'

/** One message that could not be published. */
export interface DeadLetter {
  readonly id: string
  /** RFC 3339. */
  readonly createdAt: string
  readonly subject: string
  readonly header: Readonly<Record<string, readonly string[]>>
  readonly data: Uint8Array
  readonly lastError: string
}

const fileFormat = z.object({
  id: z.string(),
  created_at: z.string(),
  subject: z.string().min(1),
  header: z.record(z.string(), z.array(z.string())),
  data: z.string(),
  last_error: z.string(),
})

/** A folder of messages, one file each, named so that the oldest comes first. Files are there as a whole or not at all. */
export class DeadLetterFolder {
  readonly #dir: string
  readonly #filesMax: number
  #count = 0

  constructor(dir: string, filesMax: number) {
    this.#dir = dir
    this.#filesMax = filesMax
  }

  /** How many there were when somebody last looked or wrote. */
  get count(): number {
    return this.#count
  }

  /** Throws when the folder is full or cannot be written. */
  async keep(letter: DeadLetter): Promise<void> {
    await mkdir(this.#dir, { recursive: true, mode: 0o700 })
    const names = await this.#names()
    if (names.length >= this.#filesMax)
      throw new Error(`${this.#dir} holds its limit of ${this.#filesMax} messages`)
    const time = letter.createdAt.replaceAll(/[^\dTZ]/g, '')
    // An id may have come from somebody else: nothing of it may lead out of the folder.
    const path = join(this.#dir, `${time}-${letter.id.replaceAll(/[^\w-]/g, '_').slice(0, 100)}.json`)
    const text = JSON.stringify({
      id: letter.id,
      created_at: letter.createdAt,
      subject: letter.subject,
      header: letter.header,
      data: Buffer.from(letter.data).toString('base64'),
      last_error: letter.lastError,
    })
    const file = await open(`${path}.tmp`, 'w', 0o600)
    try {
      await file.writeFile(text)
      await file.sync()
    } finally {
      await file.close()
    }
    await rename(`${path}.tmp`, path)
    this.#count = names.length + 1
  }

  /** The names of the files, oldest first. */
  async list(): Promise<readonly string[]> {
    const names = await this.#names()
    this.#count = names.length
    return names
  }

  /** Undefined for a file that is no dead letter; it stays where it is, for a human. */
  async read(name: string): Promise<DeadLetter | undefined> {
    const text = await readFile(join(this.#dir, name), 'utf8')
    let value: unknown
    try {
      value = JSON.parse(text)
    } catch {
      return undefined
    }
    const { data } = fileFormat.safeParse(value)
    if (data === undefined) return undefined
    return {
      id: data.id,
      createdAt: data.created_at,
      subject: data.subject,
      header: data.header,
      data: Buffer.from(data.data, 'base64'),
      lastError: data.last_error,
    }
  }

  async remove(name: string): Promise<void> {
    await rm(join(this.#dir, name), { force: true })
    this.#count = Math.max(0, this.#count - 1)
  }

  async #names(): Promise<string[]> {
    const names = await readdir(this.#dir).catch((error: NodeJS.ErrnoException) => {
      if (error.code === 'ENOENT') return []
      throw error
    })
    return names.filter((name) => name.endsWith('.json')).toSorted()
  }
}
