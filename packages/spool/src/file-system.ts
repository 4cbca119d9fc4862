import type * as nodeFs from 'node:fs'
import { codeOf } from './failure.ts'

/** The part of node:fs that a spool uses. A test puts faults into it. */
export type SpoolFileSystem = Pick<
  typeof nodeFs,
  | 'closeSync'
  | 'existsSync'
  | 'fdatasyncSync'
  | 'fstatSync'
  | 'ftruncateSync'
  | 'lstatSync'
  | 'mkdirSync'
  | 'openSync'
  | 'readSync'
  | 'readdirSync'
  | 'renameSync'
  | 'rmdirSync'
  | 'unlinkSync'
  | 'utimesSync'
  | 'writeSync'
  | 'writevSync'
>

export const folderMode = 0o700
export const fileMode = 0o600

/** Reads a regular file; a symbolic link or anything else is an error. At most `sizeBytesMax` bytes of it. */
export function readFile(fs: SpoolFileSystem, path: string, sizeBytesMax: number): Buffer {
  const { O_RDONLY, O_NOFOLLOW } = process.getBuiltinModule('node:fs').constants
  // Windows has no O_NOFOLLOW; there `undefined | x` is x.
  const fd = fs.openSync(path, O_RDONLY | O_NOFOLLOW)
  try {
    const stat = fs.fstatSync(fd)
    if (!stat.isFile()) throw new Error(`${path} is no regular file`)
    const bytes = Buffer.allocUnsafe(Math.min(stat.size, sizeBytesMax))
    return bytes.subarray(0, readAt(fs, fd, { into: bytes, offset: 0 }))
  } finally {
    fs.closeSync(fd)
  }
}

/** Fills `into` from the file's `offset` on and returns how many bytes there were. */
export function readAt(
  fs: SpoolFileSystem,
  fd: number,
  { into, offset }: { readonly into: Uint8Array; readonly offset: number },
): number {
  let count = 0
  while (count < into.length) {
    const more = fs.readSync(fd, into, count, into.length - count, offset + count)
    if (more === 0) break
    count += more
  }
  return count
}

/** Writes all of `parts` from the file's `offset` on; a short write goes on until the system names an error. */
export function writeAt(
  fs: SpoolFileSystem,
  fd: number,
  { parts, offset }: { readonly parts: readonly Uint8Array[]; readonly offset: number },
): void {
  let rest = parts
  let position = offset
  for (;;) {
    const count = fs.writevSync(fd, rest, position)
    position += count
    rest = withoutFirst(rest, count)
    if (rest.length === 0) return
    if (count === 0) throw new Error('the file system took no bytes and named no error')
  }
}

function withoutFirst(parts: readonly Uint8Array[], count: number): readonly Uint8Array[] {
  let skipped = 0
  for (const [index, part] of parts.entries()) {
    if (skipped + part.length > count) return [part.subarray(count - skipped), ...parts.slice(index + 1)]
    skipped += part.length
  }
  return []
}

/** For removing: what cannot be removed is left, and the next one to look there tries again. */
export function quietly(step: () => void): void {
  try {
    step()
  } catch {
    // The reason does not change what is to be done.
  }
}

/** The entries of a folder; none when it is not there. */
export function listFolder(fs: SpoolFileSystem, path: string): nodeFs.Dirent[] {
  try {
    return fs.readdirSync(path, { withFileTypes: true })
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return []
    throw error
  }
}

/** After a file was made: a loss of power may else forget its name. */
export function syncFolder(fs: SpoolFileSystem, path: string): void {
  // Windows opens no folders, and needs it not.
  quietly(() => {
    const fd = fs.openSync(path, 'r')
    try {
      fs.fdatasyncSync(fd)
    } finally {
      fs.closeSync(fd)
    }
  })
}
