import * as fs from 'node:fs'
import type { SpoolFileSystem } from '../index.ts'

type Calls = { -readonly [Name in keyof SpoolFileSystem]?: () => void }

/** The real file system, with calls before which something happens: mostly an error. */
export function faultyFs(before: Calls): SpoolFileSystem {
  const faulty: Record<string, unknown> = { ...fs }
  for (const [name, happen] of Object.entries(before)) {
    const real = fs[name as keyof SpoolFileSystem] as (...args: unknown[]) => unknown
    faulty[name] = (...args: unknown[]): unknown => {
      happen()
      return real(...args)
    }
  }
  return faulty as unknown as SpoolFileSystem // Every member comes from the real one.
}

/** The real file system, where each write takes what `sizes` says, and then the disk's error comes. */
export function shortWriteFs(sizes: readonly number[], code: string): SpoolFileSystem {
  const left = [...sizes]
  return {
    ...fs,
    writevSync: (fd: number, parts: readonly NodeJS.ArrayBufferView[], position?: number | null): number => {
      const size = left.shift()
      if (size === undefined) throw systemError(code)
      const bytes = Buffer.concat(parts.map((part) => part as Uint8Array)) // The spool writes nothing else.
      return fs.writeSync(fd, bytes, 0, Math.min(size, bytes.length), position)
    },
  }
}

export function systemError(code: string): Error {
  return Object.assign(new Error(`${code}: injected`), { code })
}
