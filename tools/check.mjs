// `npm run check`: every static check and the unit tests, each with its time. All run, two at a time where one does not
// need the other; a step's output is shown when it fails, and the exit code tells. `--no-tests`: the static checks alone.
import { spawn } from 'node:child_process'
import { fileURLToPath } from 'node:url'

const root = fileURLToPath(new URL('..', import.meta.url))
const startMs = Date.now()
const failures = []
const withTests = !process.argv.includes('--no-tests')

function secondsSince(ms) {
  return `${((Date.now() - ms) / 1000).toFixed(1)} s`
}

/** Runs an npm script. Resolves when it has ended, well or not. */
function step(script) {
  const stepStartMs = Date.now()
  return new Promise((resolve) => {
    const output = []
    const child = spawn('npm', ['run', '--silent', script], { cwd: root, stdio: ['ignore', 'pipe', 'pipe'] })
    for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk) => output.push(chunk))
    child.on('error', (error) => output.push(Buffer.from(String(error))))
    child.on('close', (code) => {
      if (code !== 0) {
        failures.push(script)
        process.stdout.write(Buffer.concat(output))
      }
      console.log(`${code === 0 ? 'ok    ' : 'FAILED'} ${script} ${secondsSince(stepStartMs)}`)
      resolve()
    })
  })
}

async function oneByOne(...scripts) {
  for (const script of scripts) await step(script)
}

await oneByOne('build')
await Promise.all([
  ...(withTests ? [step('test:unit')] : []),
  oneByOne(
    'check:format',
    'check:layers',
    'check:knip',
    'check:lint',
    'check:api',
    'check:pack',
    ...(withTests ? ['test:repository'] : []),
  ),
])
const outcome = failures.length === 0 ? 'all checks passed' : `failed: ${failures.join(', ')}`
console.log(`\n${outcome} in ${secondsSince(startMs)}`)
process.exitCode = failures.length === 0 ? 0 : 1
