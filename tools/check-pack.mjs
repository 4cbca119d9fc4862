// Packs every published package and checks the tarball as a user would get it: publint (manifest against files) and
// attw (types against resolution, ESM only). Two packages at a time.
import { execFile } from 'node:child_process'
import { mkdirSync, rmSync } from 'node:fs'
import { join } from 'node:path'
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
  await run('npx', ['publint', tarball, '--strict'], { cwd: root })
  await run('npx', ['attw', tarball, '--profile', 'esm-only'], { cwd: root })
  return `${name}: ${packed.files.length} files, ${(packed.size / 1024).toFixed(0)} KiB packed`
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
