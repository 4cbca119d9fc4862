import { type LoadedFolder, loadFolder, segmentNumbers } from './adopted-folder.ts'
import { type FreeFolder, freeFolders } from './adoption.ts'
import { codeOf, failureOf, type SpoolFailure } from './failure.ts'
import { quietly } from './file-system.ts'
import { adoptedFolderName, ownFolderName } from './folder-names.ts'
import type { SpoolSettings } from './options.ts'
import { type OwnFolder, removeFolder } from './own-folder.ts'
import type { OwnerFolder } from './segment.ts'

/** The folders that one spool has adopted. Their names say so: `a-<owner>-<adopter>`. */
export class AdoptedFolders {
  readonly #settings: SpoolSettings
  /** Owners of folders with something in them that this process cannot read: once is enough. */
  readonly #leftOwnerIds = new Set<string>()
  #folders: OwnerFolder[] = []

  constructor(settings: SpoolSettings) {
    this.#settings = settings
  }

  /** Oldest first. */
  get folders(): readonly OwnerFolder[] {
    return this.#folders
  }

  listFree(adopter: OwnFolder, deadOwnerIds: readonly string[]): FreeFolder[] {
    return freeFolders({
      ...this.#settings,
      deadOwnerIds: new Set(deadOwnerIds),
      selfId: adopter.ownerId,
    }).filter(({ ownerId }) => !this.#leftOwnerIds.has(ownerId))
  }

  /** Undefined when another process was faster, or nothing is in the folder. Does not throw. */
  adopt(
    free: FreeFolder,
    adopter: OwnFolder,
  ): { readonly loaded: LoadedFolder | undefined; readonly failure: SpoolFailure | undefined } | undefined {
    const { fs, dir } = this.#settings
    try {
      if (segmentNumbers(fs, free.path).length === 0) {
        removeFolder(fs, free.path)
        return undefined
      }
      adopter.create()
      const path = `${dir}/${adoptedFolderName(free.ownerId, adopter.ownerId)}`
      fs.renameSync(free.path, path)
      const loaded = loadFolder(fs, free, path)
      const { folder, failure } = loaded
      this.#folders.push(folder)
      if (folder.segments.length === 0) this.finish(folder)
      return { loaded, failure }
    } catch (error) {
      return codeOf(error) === 'ENOENT' ? undefined : { loaded: undefined, failure: failureOf(error) }
    }
  }

  /** The adopter goes on under another name. Returns the folders that are in other hands by now. */
  follow(adopter: OwnFolder): readonly OwnerFolder[] {
    const { fs, dir } = this.#settings
    const folders = this.#folders
    this.#folders = folders.filter((folder) => {
      try {
        for (const segment of folder.segments) segment.close()
        adopter.create()
        const path = `${dir}/${adoptedFolderName(folder.ownerId, adopter.ownerId)}`
        fs.renameSync(folder.path, path)
        folder.path = path
        return true
      } catch {
        return false
      }
    })
    return folders.filter((folder) => !this.#folders.includes(folder))
  }

  forget(folder: OwnerFolder): void {
    this.#folders = this.#folders.filter((other) => other !== folder)
  }

  /** Nothing of the folder is left to deliver: it goes, unless there is something in it that could not be read. */
  finish(folder: OwnerFolder): void {
    this.forget(folder)
    quietly(() => {
      if (segmentNumbers(this.#settings.fs, folder.path).length === 0) {
        removeFolder(this.#settings.fs, folder.path)
      } else {
        this.#leftOwnerIds.add(folder.ownerId)
        this.#release(folder)
      }
    })
  }

  /** Leaves all of them to others. */
  releaseAll(): SpoolFailure | undefined {
    let failure: SpoolFailure | undefined
    for (const folder of this.#folders)
      try {
        this.#release(folder)
      } catch (error) {
        if (codeOf(error) !== 'ENOENT') failure = failureOf(error)
      }
    this.#folders = []
    return failure
  }

  #release(folder: OwnerFolder): void {
    const { fs, dir } = this.#settings
    for (const segment of folder.segments) segment.close()
    fs.renameSync(folder.path, `${dir}/${ownFolderName(folder.ownerId)}`)
  }
}
