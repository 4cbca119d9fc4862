// Runs the unit tests of packages/ on other versions of Node.js, each from the npm package `node`, kept in .cache/.
// Usage, after a build: node tools/test-node-versions.mjs [major ...]   (default: 22 24 26)
import { spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, writeFileSync } from 'node:fs'
import { delimiter, dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

const root = fileURLToPath(new URL('..', import.meta.url))
const majors = process.argv.length > 2 ? process.argv.slice(2) : ['22', '24', '26']

/** The executable of the newest release of a major version; installed when it is not there yet. */
function nodeOf(major) {
  const dir = join(root, '.cache/node', major)
  const path = join(dir, 'node_modules/node/bin/node')
  if (existsSync(path)) return path
  mkdirSync(dir, { recursive: true })
  writeFileSync(join(dir, 'package.json'), '{"private":true}\n')
  console.log(`fetching Node.js ${major}`)
  const install = ['install', '--no-save', '--no-audit', '--no-fund', '--loglevel=error', `node@${major}`]
  spawnSync('npm', install, { cwd: dir, stdio: 'inherit' })
  return existsSync(path) ? path : undefined
}

const failed = []
for (const major of majors) {
  const node = /^\d+$/.test(major) ? nodeOf(major) : undefined
  if (node === undefined) {
    console.error(`Node.js ${major} is not to be had; name major versions such as 22`)
    failed.push(major)
    continue
  }
  const { stdout } = spawnSync(node, ['--version'], { encoding: 'utf8' })
  console.log(`\n# Node.js ${stdout.trim()}`)
  // First on PATH too: tests start child processes.
  const env = { ...process.env, PATH: `${dirname(node)}${delimiter}${process.env.PATH}` }
  const { status } = spawnSync(node, [join(root, 'tools/run-tests.mjs'), 'unit', 'packages/'], {
    stdio: 'inherit',
    env,
  })
  if (status !== 0) failed.push(major)
}
if (failed.length > 0) console.error(`failed: Node.js ${failed.join(', ')}`)
process.exit(failed.length > 0 ? 1 : 0)
