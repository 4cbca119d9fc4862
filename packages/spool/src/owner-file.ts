import { crc32 } from './crc32.ts'
import type { ProcessIdentity } from './process-identity.ts'
import { formatVersion } from './record-format.ts'

/** What an owner writes about itself when it makes its folder. */
export interface OwnerRecord extends ProcessIdentity {
  readonly version: number
  readonly name: string
  readonly startedMs: number
}

export interface OwnerFile {
  readonly owner: OwnerRecord
  /** Set when the owner has ended in order: why. */
  readonly released: string | undefined
}

export const ownerFileName = 'owner'
export const ownerFileBytesMax: number = 64 * 1024

/** One line of an owner file: a checksum, a blank, JSON. Lines are only ever appended, the last one may be a torn one. */
export function ownerLine(value: OwnerRecord | { readonly released: string }): Buffer {
  const json = JSON.stringify(value)
  return Buffer.from(`\n${checksumOf(json)} ${json}\n`)
}

export function newOwner(
  identity: ProcessIdentity,
  details: Pick<OwnerRecord, 'name' | 'startedMs'>,
): OwnerRecord {
  return { version: formatVersion, ...identity, ...details }
}

/** What the file says, or undefined where it says nothing certain. */
export function readOwnerFile(bytes: Buffer): OwnerFile | undefined {
  let owner: OwnerRecord | undefined
  let released: string | undefined
  for (const line of bytes.toString().split('\n')) {
    const value = lineValue(line)
    if (value === undefined) continue
    // The checksum says that these are our own words, so that only the version has to be looked at.
    if ('pid' in value) owner = value as OwnerRecord
    else if ('released' in value) released = String(value.released)
  }
  return owner === undefined ? undefined : { owner, released }
}

function lineValue(line: string): object | undefined {
  const json = line.slice(9)
  if (json === '' || line.slice(0, 8) !== checksumOf(json)) return undefined
  try {
    const value: unknown = JSON.parse(json)
    return typeof value === 'object' && value !== null ? value : undefined
  } catch {
    return undefined
  }
}

function checksumOf(json: string): string {
  return crc32(Buffer.from(json)).toString(16).padStart(8, '0')
}
