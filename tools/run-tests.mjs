// Runs the compiled tests with node:test, one suite after the other, and fails when a suite finds no test file.
// Usage: node tools/run-tests.mjs [unit|repository|conformance|process|e2e|all] [path filter]
import { spawnSync } from 'node:child_process'
import { readdirSync } from 'node:fs'
import { availableParallelism } from 'node:os'
import { join, relative } from 'node:path'
import { fileURLToPath } from 'node:url'
import { ensureChromium } from './ensure-chromium.mjs'
// Joins what a bare `tsc -b` may have compiled since: tests run on what ships.
import './join-packages.mjs'

const root = fileURLToPath(new URL('..', import.meta.url))
const suites = {
  unit: { dirs: ['packages', 'apps'], concurrency: Math.max(2, availableParallelism()), timeoutMs: 120_000 },
  repository: { dirs: ['tests/dist/repository'], concurrency: 2, timeoutMs: 120_000 },
  conformance: { dirs: ['tests/dist/conformance'], concurrency: 2, timeoutMs: 120_000 },
  process: { dirs: ['tests/dist/process'], concurrency: 2, timeoutMs: 180_000 },
  e2e: { dirs: ['tests/dist/e2e'], concurrency: 1, timeoutMs: 300_000, needsChromium: true },
}

function* testFiles(dir) {
  for (const entry of readdirSync(dir, { withFileTypes: true })) {
    if (entry.name === 'node_modules' || entry.name === 'src' || entry.name === 'web') continue
    const path = join(dir, entry.name)
    if (entry.isDirectory()) yield* testFiles(path)
    else if (/\.(test|fuzz)\.js$/.test(entry.name)) yield relative(root, path)
  }
}

const [which = 'all', filter = ''] = process.argv.slice(2)
if (which !== 'all' && !(which in suites)) {
  console.error(`unknown suite "${which}"; allowed: all, ${Object.keys(suites).join(', ')}`)
  process.exit(2)
}

let failed = false
for (const [name, suite] of Object.entries(suites)) {
  if (which !== 'all' && which !== name) continue
  const files = suite.dirs
    .flatMap((dir) => [...testFiles(join(root, dir))])
    .filter((file) => file.includes(filter))
  if (files.length === 0) {
    console.error(
      `suite ${name}: no compiled test file${filter && ` with "${filter}" in its path`} (run npm run build first)`,
    )
    failed = true
    continue
  }
  const env = { ...process.env }
  if (suite.needsChromium) {
    const chromium = ensureChromium()
    if (chromium === undefined) {
      console.error(
        'The browser tests need Chromium: apt-get install chromium, or set CHROMIUM_PATH to an executable.',
      )
      failed = true
      continue
    }
    env.CHROMIUM_PATH = chromium
  }
  console.log(`\n# suite ${name}: ${files.length} files`)
  const args = [
    '--test',
    `--test-concurrency=${suite.concurrency}`,
    `--test-timeout=${suite.timeoutMs}`,
    '--test-reporter=spec',
    '--enable-source-maps',
    ...files,
  ]
  const { status } = spawnSync(process.execPath, args, { cwd: root, stdio: 'inherit', env })
  if (status !== 0) failed = true
}
process.exit(failed ? 1 : 0)
