// Packs every published package and checks the tarball as a user would get it: publint (manifest against files) and
// attw (types against resolution, ESM only); nothing that a packed file imports may be left out. Two packages at a time.
import { execFile } from 'node:child_process'
import { mkdirSync, readFileSync, rmSync } from 'node:fs'
import { join, posix } from 'node:path'
import { promisify } from 'node:util'
import { publishedPackages, root } from './published-packages.mjs'

const run = promisify(execFile)
// Called by path, since npx takes half a second for each call.
const bin = join(root, 'node_modules/.bin')
const tarballDir = join(root, '.cache/pack')
rmSync(tarballDir, { recursive: true, force: true })
mkdirSync(tarballDir, { recursive: true })

/** Packs all in one call, and gives for each name what is in its tarball. */
async function pack(packages) {
  const workspaces = packages.map(({ name }) => `--workspace=${name}`)
  const args = ['pack', '--json', '--loglevel=error', '--pack-destination', tarballDir, ...workspaces]
  const { stdout } = await run('npm', args, { cwd: root, maxBuffer: 16 * 1024 * 1024 })
  return new Map(Object.values(JSON.parse(stdout)).map((packed) => [packed.name, packed]))
}

async function check({ name, dir }, packed) {
  const tarball = join(tarballDir, packed.filename)
  const paths = packed.files.map((file) => file.path)
  const missing = ['LICENSE', 'README.md'].filter((path) => !paths.includes(path))
  if (missing.length > 0) throw new Error(`${name}: must be in the tarball: ${missing.join(', ')}`)
  const stray = paths.filter((path) => /\.(test|fuzz)\.|tsbuildinfo|^src\//.test(path))
  if (stray.length > 0) throw new Error(`${name}: must not be in the tarball: ${stray.join(', ')}`)
  const holds = (path) => paths.some((packedPath) => `${packedPath}/`.startsWith(`${path}/`))
  const lost = paths.flatMap((path) => relativeImports(dir, path)).filter((path) => !holds(path))
  if (lost.length > 0) throw new Error(`${name}: imported, and not in the tarball: ${lost.join(', ')}`)
  await run(join(bin, 'publint'), [tarball, '--strict'], { cwd: root })
  await run(join(bin, 'attw'), [tarball, '--profile', 'esm-only'], { cwd: root })
  return `${name}: ${packed.files.length} files, ${(packed.size / 1024).toFixed(0)} KiB packed`
}

/** What a packed file imports by a relative path, as paths in the tarball. */
function relativeImports(dir, path) {
  if (!/\.(js|d\.ts)$/.test(path) || path.includes('/web/')) return []
  const text = readFileSync(join(dir, path), 'utf8')
  const specifiers = text.matchAll(/(?:\bfrom|\bimport\(?|new URL\()\s*['"](\.{1,2}\/[^'"]+)['"]/g)
  return [...specifiers].map(([, specifier]) =>
    posix.join(
      posix.dirname(path),
      path.endsWith('.d.ts') ? specifier.replace(/\.[jt]s$/, '.d.ts') : specifier,
    ),
  )
}

const queue = publishedPackages()
const tarballs = await pack(queue)
let failed = false
async function worker() {
  for (let next = queue.shift(); next !== undefined; next = queue.shift()) {
    try {
      console.log(await check(next, tarballs.get(next.name)))
    } catch (error) {
      failed = true
      console.error(`${next.name}: FAILED\n${error.stdout ?? ''}${error.stderr ?? error}`)
    }
  }
}
await Promise.all([worker(), worker()])
process.exit(failed ? 1 : 0)
