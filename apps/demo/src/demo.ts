import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { type CommandResult, type Part, runCommand, startPart, stopParts, waitFor } from './processes.ts'
import { newSigningKey, prepareScene, type Scene, writeConfig } from './scene.ts'
import { missingFrom, type TraceSpan } from './whole-trace.ts'

const sceneDir = fileURLToPath(new URL('../../../.cache/demo', import.meta.url))
const require = createRequire(import.meta.url)
const osapiBin = binOf('@throughline/osapi')
const throughlineBin = binOf('throughline')
const startTimeoutMs = 60_000
const traceTimeoutMs = 15_000
const stopTimeoutMs = 10_000
/** For questions that are asked again and again: sampled out by their caller, they leave no traces in Lens. */
const unsampledTraceparent = `00-${'1'.repeat(32)}-${'1'.repeat(16)}-00`

/** Runs the whole scene; resolves to the exit code: 0 when the command answered and its trace is whole. */
export async function runDemo({ once }: { readonly once: boolean }): Promise<number> {
  const parts: Part[] = []
  const interrupted = new AbortController()
  const onSignal = () => interrupted.abort()
  process.on('SIGINT', onSignal).on('SIGTERM', onSignal)
  try {
    const scene = await prepareScene(sceneDir)
    const env = cleanEnvironment()
    await startScene(scene, { parts, env })
    const traceIsWhole = await showOneCommand(scene, { parts, env })
    if (!once && !interrupted.signal.aborted) await stayUp(scene, interrupted.signal)
    return traceIsWhole ? 0 : 1
  } catch (error) {
    process.stderr.write(`\n${error instanceof Error ? error.message : String(error)}\n`)
    return 1
  } finally {
    await stopParts(parts, stopTimeoutMs)
    process.off('SIGINT', onSignal).off('SIGTERM', onSignal)
  }
}

interface Stage {
  readonly parts: Part[]
  readonly env: NodeJS.ProcessEnv
}

async function startScene(scene: Scene, { parts, env }: Stage): Promise<void> {
  const { ports, dir, configPath } = scene
  const start = (name: string, args: readonly string[]) => {
    const part = startPart({ name, args, env, logPath: join(dir, `${name}.log`) })
    parts.push(part)
    return part
  }
  const ready = (what: string, probe: () => Promise<boolean>) =>
    step(
      what,
      waitFor(what, async () => ((await probe()) ? true : undefined), { parts, timeoutMs: startTimeoutMs }),
    )

  const signingKey = newSigningKey()
  writeConfig(scene, { signingKey })
  const token = await runCommand(
    [osapiBin, 'token', 'generate', '--roles', 'admin', '--subject', 'demo', '--json', '-f', configPath],
    env,
  )
  const bearerToken = /eyJ[\w-]+\.[\w-]+\.[\w-]+/.exec(token.stdout)?.[0]
  if (token.code !== 0 || bearerToken === undefined)
    throw new Error(`osapi token generate failed:\n${token.stderr}`)
  writeConfig(scene, { signingKey, bearerToken })

  const lensArgs = [
    '--port',
    ports.lens,
    '--otlp-grpc-port',
    ports.otlpGrpc,
    '--otlp-http-port',
    ports.otlpHttp,
  ]
  start('lens', [throughlineBin, 'lens', ...lensArgs.map(String), '--data-dir', join(dir, 'lens')])
  start('nats', [osapiBin, 'nats', 'server', 'start', '-f', configPath])
  await ready(`Lens              http://127.0.0.1:${ports.lens}`, () =>
    answers(`http://127.0.0.1:${ports.lens}/health`),
  )
  await ready(`nats-server       nats://127.0.0.1:${ports.nats}`, async () =>
    /started successfully/.test(readFileSync(join(dir, 'nats.log'), 'utf8')),
  )
  start('api', [osapiBin, 'api', 'server', 'start', '-f', configPath])
  const api = `http://127.0.0.1:${ports.api}`
  await ready(`OSAPI API server  ${api}`, () => answers(`${api}/health/ready`))
  start('worker', [osapiBin, 'job', 'worker', 'start', '-f', configPath])
  const headers = { authorization: `Bearer ${bearerToken}`, traceparent: unsampledTraceparent }
  await ready('OSAPI worker      registered', async () => {
    const response = await fetch(`${api}/api/agent`, { headers })
    const { total } = (await response.json()) as { total: number }
    return total > 0
  })
}

async function showOneCommand(scene: Scene, { parts, env }: Stage): Promise<boolean> {
  const { configPath, dir, ports } = scene
  process.stdout.write('\n$ osapi client node hostname --debug\n')
  const command = await runCommand([osapiBin, 'client', 'node', 'hostname', '--debug', '-f', configPath], {
    ...env,
    // The trace is looked at when the command is over.
    OSAPI_TELEMETRY_TRACING_SPOOL_DIR: 'off',
  })
  process.stdout.write(command.stdout)
  const traceId = /Trace ID: ([0-9a-f]{32})/.exec(command.stderr)?.[1]
  if (command.code !== 0 || traceId === undefined)
    throw new Error(`the command failed with exit code ${command.code}:\n${command.stderr}`)
  process.stdout.write(`Trace ID: ${traceId}   (${command.durationMs.toFixed(0)} ms)\n`)

  const lens = `http://127.0.0.1:${ports.lens}`
  const missing = await waitForWholeTrace(`${lens}/api/traces/${traceId}`, parts)
  const drawn = await runCommand([throughlineBin, 'trace', traceId, '--url', lens], widthOf(env))
  process.stdout.write(`\n$ throughline trace ${traceId}\n${drawn.stdout}${drawn.stderr}`)
  process.stdout.write(`\n$ grep trace_id=${traceId} *.log\n${matchingLines(dir, { traceId, command })}\n`)
  process.stdout.write(`\nIn the browser: ${lens}/trace/${traceId}\n`)
  for (const problem of missing) process.stderr.write(`the trace is not whole: ${problem}\n`)
  return missing.length === 0 && drawn.code === 0
}

/** Asks Lens until nothing is missing from the trace; at the time limit, says what still is. */
async function waitForWholeTrace(url: string, parts: readonly Part[]): Promise<string[]> {
  let missing = ['Lens knows no span of it']
  const probe = async () => {
    const response = await fetch(url)
    if (!response.ok) return undefined
    const { spans } = (await response.json()) as { spans: readonly TraceSpan[] }
    missing = missingFrom(spans)
    return missing.length === 0 ? missing : undefined
  }
  return waitFor('the whole trace', probe, { parts, timeoutMs: traceTimeoutMs }).catch(() => missing)
}

function matchingLines(
  dir: string,
  { traceId, command }: { traceId: string; command: CommandResult },
): string {
  const logs = [
    { name: 'cli', text: command.stderr },
    ...['api', 'worker'].map((name) => ({ name, text: readFileSync(join(dir, `${name}.log`), 'utf8') })),
  ]
  return logs
    .flatMap(({ name, text }) =>
      text
        .split('\n')
        .filter((line) => line.includes(`trace_id=${traceId}`))
        .map((line) => `${name.padEnd(6)} | ${line}`),
    )
    .join('\n')
}

async function stayUp({ ports, configPath }: Scene, stop: AbortSignal): Promise<void> {
  process.stdout.write(
    `\nEverything stays up until Ctrl-C. Lens: http://127.0.0.1:${ports.lens}\n` +
      `Try more:  node ${osapiBin} client node status -f ${configPath}\n`,
  )
  const keepAlive = setInterval(() => {}, 60_000)
  await new Promise<void>((resolve) => stop.addEventListener('abort', () => resolve(), { once: true }))
  clearInterval(keepAlive)
  process.stdout.write('\nstopping\n')
}

async function step<T>(what: string, work: Promise<T>): Promise<T> {
  const isTerminal = process.stdout.isTTY
  if (isTerminal) process.stdout.write(`  … ${what}`)
  const value = await work
  process.stdout.write(`${isTerminal ? '\r' : ''}  ✓ ${what}\n`)
  return value
}

async function answers(url: string): Promise<boolean> {
  const { ok } = await fetch(url, { headers: { traceparent: unsampledTraceparent } })
  return ok
}

/** The surroundings without what would steer the scene's own processes. */
function cleanEnvironment(): NodeJS.ProcessEnv {
  const steering = /^(OSAPI_|OTEL_|TRACEPARENT$|TRACESTATE$|BAGGAGE$)/
  return Object.fromEntries(Object.entries(process.env).filter(([key]) => !steering.test(key)))
}

function widthOf(env: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  return { ...env, COLUMNS: String(process.stdout.columns ?? 110) }
}

function binOf(packageName: string): string {
  const manifestPath = require.resolve(`${packageName}/package.json`)
  const manifest = JSON.parse(readFileSync(manifestPath, 'utf8')) as { bin: Record<string, string> }
  const [bin] = Object.values(manifest.bin)
  if (bin === undefined) throw new Error(`${packageName} names no executable`)
  return join(dirname(manifestPath), bin)
}
