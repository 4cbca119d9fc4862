// `npm run check`: every static check and the unit tests, each with its time; all run, then the exit code tells.
import { spawnSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'

const root = fileURLToPath(new URL('..', import.meta.url))
const steps = [
  ['format', 'npm', ['run', '--silent', 'check:format']],
  ['build', 'npm', ['run', '--silent', 'build']],
  ['lint', 'npm', ['run', '--silent', 'check:lint']],
  ['layers', 'npm', ['run', '--silent', 'check:layers']],
  ['knip', 'npm', ['run', '--silent', 'check:knip']],
  ['unit tests', 'npm', ['run', '--silent', 'test:unit']],
  ['api', 'npm', ['run', '--silent', 'check:api']],
  ['pack', 'npm', ['run', '--silent', 'check:pack']],
]

const failures = []
for (const [name, command, args] of steps) {
  const startMs = Date.now()
  console.log(`\n== ${name}`)
  const { status } = spawnSync(command, args, { cwd: root, stdio: 'inherit' })
  console.log(
    `== ${name}: ${status === 0 ? 'ok' : 'FAILED'} in ${((Date.now() - startMs) / 1000).toFixed(1)} s`,
  )
  if (status !== 0) failures.push(name)
}
console.log(failures.length === 0 ? '\nall checks passed' : `\nfailed: ${failures.join(', ')}`)
process.exit(failures.length === 0 ? 0 : 1)
