// The workspaces that are published, as { name, dir, shortName }: all of packages/ that are not private.
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

export const root = fileURLToPath(new URL('..', import.meta.url))

export function publishedPackages() {
  return readdirSync(join(root, 'packages')).flatMap((folder) => {
    const dir = join(root, 'packages', folder)
    const manifest = JSON.parse(readFileSync(join(dir, 'package.json'), 'utf8'))
    return manifest.private
      ? []
      : [{ name: manifest.name, dir, shortName: manifest.name.replace(/^@[^/]+\//, '') }]
  })
}
