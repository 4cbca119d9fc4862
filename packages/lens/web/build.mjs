// Type-checks and builds the page into dist/web, unless nothing it is made of has changed since the last time.
import { spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join, relative } from 'node:path'
import { fileURLToPath } from 'node:url'

const web = fileURLToPath(new URL('.', import.meta.url))
const lens = join(web, '..')
const built = join(lens, 'dist/web/index.html')
const stamp = join(lens, '../../.cache/lens-page.inputs')
const require = createRequire(import.meta.url)

function* filesBelow(directory) {
  for (const entry of readdirSync(directory, { withFileTypes: true })) {
    const path = join(directory, entry.name)
    if (entry.isDirectory()) yield* filesBelow(path)
    else yield path
  }
}

const byText = (a, b) => (a < b ? -1 : 1)

/** The page shares types with the query engine, so these count too. */
function inputsHash() {
  const hash = createHash('sha256').update(require('vite/package.json').version)
  for (const path of [...filesBelow(web), ...filesBelow(join(lens, 'src/query'))].toSorted(byText))
    hash.update(`\0${relative(lens, path)}\0`).update(readFileSync(path))
  return hash.digest('hex')
}

function run(packageName, bin, args) {
  const program = join(dirname(require.resolve(`${packageName}/package.json`)), bin)
  const { status } = spawnSync(process.execPath, [program, ...args], { cwd: lens, stdio: 'inherit' })
  if (status !== 0) process.exit(status ?? 1)
}

const hash = inputsHash()
if (existsSync(built) && existsSync(stamp) && readFileSync(stamp, 'utf8') === hash) process.exit(0)
run('typescript', 'bin/tsc', ['-p', 'web'])
run('vite', 'bin/vite.js', ['build', '--config', 'web/vite.config.ts'])
mkdirSync(dirname(stamp), { recursive: true })
writeFileSync(stamp, hash)
