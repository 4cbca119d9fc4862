import { readdirSync, readFileSync } from 'node:fs'
import { extname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

export interface PageFiles {
  /** undefined when the page has not been built. */
  readonly index: Buffer | undefined
  readonly assets: ReadonlyMap<string, { readonly type: string; readonly body: Buffer }>
}

const types: Readonly<Record<string, string>> = {
  '.js': 'text/javascript; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.svg': 'image/svg+xml',
}

/** The built page: a handful of small files, read once. Requests look names up, so no path of a request reaches the disk. */
export function readPageFiles(): PageFiles {
  const directory = fileURLToPath(new URL('../web', import.meta.url))
  try {
    const index = readFileSync(join(directory, 'index.html'))
    const names = readdirSync(join(directory, 'assets'))
    return {
      index,
      assets: new Map(
        names.map((name) => [
          name,
          {
            type: types[extname(name)] ?? 'application/octet-stream',
            body: readFileSync(join(directory, 'assets', name)),
          },
        ]),
      ),
    }
  } catch {
    return { index: undefined, assets: new Map() }
  }
}
