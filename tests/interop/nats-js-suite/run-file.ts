// Runs one file of the suite and prints a line of JSON for each of its tests. Started by run.ts.
import { pathToFileURL } from 'node:url'
import { type ReadableSpan, TracerProvider, w3cTraceContextPropagator } from '@throughline/trace'
import { resolveToPackages } from './hooks.ts'
import type { TestLine } from './run.ts'

const testTimeoutMs = 60_000

interface Steps {
  step(name: string, run: (steps: Steps) => unknown): Promise<boolean>
}
interface Definition {
  readonly name: string
  readonly fn: (steps: Steps) => unknown
  readonly ignore?: boolean
}

const steps: Steps = {
  async step(_name, run) {
    await run(steps)
    return true
  },
}
const definitions: Definition[] = []

/** Deno.test(name, fn), (name, options, fn), (options), (options, fn), (fn). */
function defineTest(...args: unknown[]): void {
  const fn = args.find((arg): arg is Definition['fn'] => typeof arg === 'function')
  const options = args.find((arg): arg is Partial<Definition> => typeof arg === 'object' && arg !== null)
  const run = fn ?? options?.fn
  if (run === undefined) throw new Error('a test without a function')
  const name = typeof args[0] === 'string' ? args[0] : (options?.name ?? run.name)
  definitions.push({ name, fn: run, ignore: options?.ignore === true })
}
defineTest.ignore = (name: string) => void definitions.push({ name, fn: () => {}, ignore: true })

Object.assign(globalThis, {
  Deno: {
    test: defineTest,
    cwd: () => process.cwd(),
    env: { get: (name: string) => process.env[name] },
    args: [],
    errors: { ConnectionReset: Error },
  },
})

function done(): Promise<void> {
  return Promise.resolve()
}

/** What goes wrong outside of any await is the running test's. */
let stray: (error: unknown) => void = () => {}
process.on('unhandledRejection', (error) => stray(error))
process.on('uncaughtException', (error) => stray(error))

async function runTest({ fn }: Definition): Promise<void> {
  let timer: NodeJS.Timeout | undefined
  const broken = new Promise<never>((_, reject) => {
    stray = reject
    timer = setTimeout(() => reject(new Error(`not done after ${testTimeoutMs} ms`)), testTimeoutMs)
  })
  try {
    await Promise.race([Promise.resolve().then(() => fn(steps)), broken])
  } finally {
    clearTimeout(timer)
    stray = () => {}
  }
}

const [, , clone = '', file = '', filter = ''] = process.argv
let started = 0
let running = ''
const open = new Map<ReadableSpan, string>()
if (process.env['NATS_JS_SUITE_TRACED'] === '1') {
  const onStart = (span: ReadableSpan): void => {
    started++
    open.set(span, `${span.name}, of the test ${running}`)
  }
  const processor = {
    onStart,
    onEnd: (span: ReadableSpan) => void open.delete(span),
    forceFlush: done,
    shutdown: done,
  }
  new TracerProvider({ spanProcessors: [processor] }).register({ propagator: w3cTraceContextPropagator() })
}
resolveToPackages(clone)

function say(line: TestLine): void {
  process.stdout.write(`@@ ${JSON.stringify(line)}\n`)
}

try {
  await import(pathToFileURL(file).href)
} catch (error) {
  say({ name: 'the file', result: 'unloadable', error: String(error) })
  process.exit(0)
}
for (const definition of definitions) {
  const { name } = definition
  if (filter !== '' && name !== filter) continue
  if (definition.ignore === true) {
    say({ name, result: 'ignored' })
    continue
  }
  running = name
  try {
    await runTest(definition)
    say({ name, result: 'passed' })
  } catch (error) {
    say({
      name,
      result: 'failed',
      error: error instanceof Error ? (error.stack ?? error.message) : String(error),
    })
  }
}
say({ name: 'spans', result: 'spans', started, open: [...open.values()] })
// Tests leave connections behind.
process.exit(0)
