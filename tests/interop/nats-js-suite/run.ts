// The test suite of the NATS client over an untraced and over a traced connection; see ../README.md.
// Usage: node tests/dist/interop/nats-js-suite/run.js <clone of nats.js> [part of a path]
import { spawn } from 'node:child_process'
import { readdirSync } from 'node:fs'
import { join, relative, resolve } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { startNatsServer } from '@throughline/nats-server'

/** What run-file.ts says. */
export type TestLine =
  | { readonly name: string; readonly result: 'passed' | 'ignored' }
  | { readonly name: string; readonly result: 'failed' | 'unloadable'; readonly error: string }
  | {
      readonly name: 'spans'
      readonly result: 'spans'
      readonly started: number
      readonly open: readonly string[]
    }

interface FileRun {
  readonly passed: readonly string[]
  readonly failed: ReadonlyMap<string, string>
  readonly ignored: number
  readonly unloadable: string | undefined
  readonly started: number
  readonly open: readonly string[]
}

const demo = await startNatsServer({ jetstream: true })
/** What no context in headers can leave as it was: they look at the headers of a message, or at its size with them. */
const inherent: ReadonlySet<string> = new Set(['basics - msg sids', 'headers - publish has headers'])

const fileTimeoutMs = 900_000
/** A test that fails in one of the two is run again, alone, as often as this, before it counts. */
const retries = 3

async function runFile(
  clone: string,
  file: string,
  { traced, only = '' }: { traced: boolean; only?: string },
): Promise<FileRun> {
  const script = fileURLToPath(new URL('run-file.js', import.meta.url))
  const child = spawn(
    process.execPath,
    ['--no-warnings', '--experimental-transform-types', script, clone, file, only],
    {
      cwd: clone,
      env: { ...process.env, NATS_JS_SUITE_TRACED: traced ? '1' : '0', NATS_JS_SUITE_DEMO: demo.url },
      stdio: ['ignore', 'pipe', 'ignore'],
    },
  )
  const timer = setTimeout(() => child.kill('SIGKILL'), fileTimeoutMs)
  const lines: TestLine[] = []
  for await (const line of createInterface({ input: child.stdout })) {
    if (line.startsWith('@@ ')) lines.push(JSON.parse(line.slice(3)) as TestLine)
  }
  clearTimeout(timer)
  const failed = new Map<string, string>()
  let spans: Pick<FileRun, 'started' | 'open'> = { started: 0, open: [] }
  let unloadable: string | undefined
  for (const line of lines) {
    if (line.result === 'failed') failed.set(line.name, line.error)
    else if (line.result === 'unloadable') unloadable = line.error
    else if (line.result === 'spans') spans = line
  }
  if (!lines.some(({ result }) => result === 'spans') && unloadable === undefined)
    failed.set('the process', 'did not end by itself')
  return {
    passed: lines.filter(({ result }) => result === 'passed').map(({ name }) => name),
    failed,
    ignored: lines.filter(({ result }) => result === 'ignored').length,
    unloadable,
    started: spans.started,
    open: spans.open,
  }
}

/** Of the tests that passed untraced and not traced: those that do so each time they are tried alone. */
async function confirmed(clone: string, file: string, names: readonly string[]): Promise<string[]> {
  const differing: string[] = []
  for (const only of names) {
    let differs = true
    for (let attempt = 0; attempt < retries && differs; attempt++) {
      const traced = await runFile(clone, file, { traced: true, only })
      // A test that fails alone without tracing too depends on the machine.
      differs =
        !traced.passed.includes(only) &&
        (await runFile(clone, file, { traced: false, only })).passed.includes(only)
    }
    if (differs) differing.push(only)
  }
  return differing
}

const [, , cloneArgument, filter = ''] = process.argv
if (cloneArgument === undefined) {
  console.error('usage: run.js <clone of https://github.com/nats-io/nats.js> [part of a path]')
  process.exit(2)
}
const clone = resolve(cloneArgument)
const files = ['core', 'jetstream', 'kv', 'obj', 'services']
  .flatMap((folder) =>
    readdirSync(join(clone, folder, 'tests')).map((name) => join(clone, folder, 'tests', name)),
  )
  .filter((file) => file.endsWith('_test.ts') && file.includes(filter))
const totals = {
  untraced: 0,
  traced: 0,
  failedUntraced: 0,
  failedTraced: 0,
  ignored: 0,
  started: 0,
  open: 0,
}
const defects: string[] = []
const unloadable: string[] = []
for (const file of files) {
  const name = relative(clone, file)
  const untraced = await runFile(clone, file, { traced: false })
  if (untraced.unloadable !== undefined) {
    unloadable.push(`${name}: ${untraced.unloadable.split('\n', 1)[0]}`)
    continue
  }
  const traced = await runFile(clone, file, { traced: true })
  totals.untraced += untraced.passed.length
  totals.traced += traced.passed.length
  totals.failedUntraced += untraced.failed.size
  totals.failedTraced += traced.failed.size
  totals.ignored += untraced.ignored
  totals.started += traced.started
  totals.open += traced.open.length
  const lost = untraced.passed.filter((test) => !traced.passed.includes(test) && !inherent.has(test))
  const differing = await confirmed(clone, file, lost)
  for (const test of differing) defects.push(`${name}: ${test}\n${traced.failed.get(test) ?? 'did not run'}`)
  console.log(
    `${name}: untraced ${untraced.passed.length} passed ${untraced.failed.size} failed; traced ${traced.passed.length} passed ` +
      `${traced.failed.size} failed; ${traced.started} spans, ${traced.open.length} open`,
  )
  for (const test of untraced.failed.keys()) console.log(`  fails untraced: ${test}`)
  for (const span of traced.open) console.log(`  open: ${span}`)
  for (const test of lost)
    console.log(`  ${differing.includes(test) ? 'FAILS TRACED' : 'failed once traced'}: ${test}`)
}
console.log(
  `\nall: untraced ${totals.untraced} passed, ${totals.failedUntraced} failed; traced ${totals.traced} passed, ` +
    `${totals.failedTraced} failed; ${totals.ignored} ignored by the suite; ${totals.started} spans, ${totals.open} open`,
)
for (const line of unloadable) console.log(`cannot be loaded here: ${line}`)
for (const defect of defects) console.log(`\nDEFECT ${defect}`)
await demo.stop()
process.exit(defects.length === 0 ? 0 : 1)
