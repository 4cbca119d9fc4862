/** A folder in the spool's folder: an owner's own (`o-<id>`), or one that `adopterId` has adopted (`a-<id>-<adopterId>`). */
export interface FolderName {
  readonly ownerId: string
  readonly adopterId: string | undefined
}

const pattern = /^(?:o-([0-9a-f]{16})|a-([0-9a-f]{16})-([0-9a-f]{16}))$/

export function ownFolderName(ownerId: string): string {
  return `o-${ownerId}`
}

export function adoptedFolderName(ownerId: string, adopterId: string): string {
  return `a-${ownerId}-${adopterId}`
}

/** Undefined for what is not ours. */
export function parseFolderName(name: string): FolderName | undefined {
  const [, own, adopted, adopterId] = pattern.exec(name) ?? []
  const ownerId = own ?? adopted
  return ownerId === undefined ? undefined : { ownerId, adopterId }
}
