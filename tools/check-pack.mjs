// Packs every published package and checks the tarball as a user would get it: publint (manifest against files) and
// attw (types against resolution, ESM only); nothing that a packed file imports may be left out. Two packages at a time.
import { execFile } from 'node:child_process'
import { mkdirSync, readFileSync, rmSync } from 'node:fs'
import { join, posix } from 'node:path'
import { promisify } from 'node:util'
import { publishedPackages, root } from './published-packages.mjs'

const run = promisify(execFile)
const tarballDir = join(root, '.cache/pack')
rmSync(tarballDir, { recursive: true, force: true })
mkdirSync(tarballDir, { recursive: true })

async function check({ name, dir }) {
  const { stdout } = await run(
    'npm',
    ['pack', '--json', '--loglevel=error', '--pack-destination', tarballDir],
    { cwd: dir },
  )
  const [packed] = Object.values(JSON.parse(stdout))
  const tarball = join(tarballDir, packed.filename)
  const paths = packed.files.map((file) => file.path)
  const missing = ['LICENSE', 'README.md'].filter((path) => !paths.includes(path))
  if (missing.length > 0) throw new Error(`${name}: must be in the tarball: ${missing.join(', ')}`)
  const stray = paths.filter((path) => /\.(test|fuzz)\.|tsbuildinfo|^src\//.test(path))
  if (stray.length > 0) throw new Error(`${name}: must not be in the tarball: ${stray.join(', ')}`)
  const holds = (path) => paths.some((packedPath) => `${packedPath}/`.startsWith(`${path}/`))
  const lost = paths.flatMap((path) => relativeImports(dir, path)).filter((path) => !holds(path))
  if (lost.length > 0) throw new Error(`${name}: imported, and not in the tarball: ${lost.join(', ')}`)
  await run('npx', ['publint', tarball, '--strict'], { cwd: root })
  await run('npx', ['attw', tarball, '--profile', 'esm-only'], { cwd: root })
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
let failed = false
async function worker() {
  for (let next = queue.shift(); next !== undefined; next = queue.shift()) {
    try {
      console.log(await check(next))
    } catch (error) {
      failed = true
      console.error(`${next.name}: FAILED\n${error.stdout ?? ''}${error.stderr ?? error}`)
    }
  }
}
await Promise.all([worker(), worker()])
process.exit(failed ? 1 : 0)
