// Enforces the layers of the root package.json: a workspace may import, or depend on, lower layers only.
// Reads import specifiers from the sources (not from the build), and the dependency fields of each package.json.
// Test files may also use what their package names in devDependencies, as long as that lies in a lower layer.
// Usage: node tools/check-layers.mjs [root]. Exit 1 and one line per violation, else a line that counts what was read.
import { readdirSync, readFileSync } from 'node:fs'
import { join, relative, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'

const root = resolve(process.argv[2] ?? fileURLToPath(new URL('..', import.meta.url)))
const readJson = (path) => JSON.parse(readFileSync(path, 'utf8'))

/** Each workspace with its layer number (1 is the lowest); a workspace that no layer names is a violation itself. */
function workspaces() {
  const { layers } = readJson(join(root, 'package.json'))
  const layerOf = new Map(layers.flatMap((names, index) => names.map((name) => [name, index + 1])))
  return ['packages', 'apps'].flatMap((parent) =>
    readdirSync(join(root, parent), { withFileTypes: true })
      .filter((entry) => entry.isDirectory())
      .map((entry) => {
        const dir = join(root, parent, entry.name)
        const manifest = readJson(join(dir, 'package.json'))
        const shortName = manifest.name.replace('@throughline/', '')
        return { dir, manifest, name: manifest.name, layer: layerOf.get(shortName) }
      }),
  )
}

function* sourceFiles(dir) {
  for (const entry of readdirSync(dir, { withFileTypes: true })) {
    if (entry.name === 'node_modules' || entry.name === 'dist') continue
    const path = join(dir, entry.name)
    if (entry.isDirectory()) yield* sourceFiles(path)
    else if (/\.(ts|tsx|mts|js|mjs)$/.test(entry.name)) yield path
  }
}

const importPattern = /(?:\bfrom\s*|\bimport\s*\(?\s*|\brequire\s*\(\s*)['"]([^'"]+)['"]/g

const all = workspaces()
const byName = new Map(all.map((workspace) => [workspace.name, workspace]))
const violations = []
let fileCount = 0
let importCount = 0

for (const workspace of all) {
  if (workspace.layer === undefined) {
    violations.push(`${workspace.name} stands in no layer of package.json`)
    continue
  }
  const judge = (target, where) => {
    const other = byName.get(target)
    if (other === undefined || other === workspace) return
    importCount++
    if (other.layer === undefined || other.layer >= workspace.layer)
      violations.push(
        `${where}: ${workspace.name} (layer ${workspace.layer}) must not use ${target} (layer ${other.layer})`,
      )
  }
  for (const field of ['dependencies', 'devDependencies', 'peerDependencies', 'optionalDependencies'])
    for (const name of Object.keys(workspace.manifest[field] ?? {}))
      judge(name, `${relative(root, workspace.dir)}/package.json ${field}`)
  for (const path of sourceFiles(workspace.dir)) {
    fileCount++
    for (const [, specifier] of readFileSync(path, 'utf8').matchAll(importPattern)) {
      const where = relative(root, path)
      if (specifier.startsWith('.')) {
        const target = resolve(path, '..', specifier)
        if (!target.startsWith(workspace.dir)) violations.push(`${where}: leaves its package by ${specifier}`)
        continue
      }
      const name = specifier.startsWith('@')
        ? specifier.split('/').slice(0, 2).join('/')
        : specifier.split('/')[0]
      judge(name, where)
    }
  }
}

if (fileCount === 0 || importCount === 0)
  violations.push(`read ${fileCount} files and ${importCount} internal imports: the check sees nothing`)
for (const line of violations) console.error(line)
if (violations.length > 0) process.exit(1)
console.log(`layers hold: ${all.length} workspaces, ${fileCount} files, ${importCount} internal imports`)
