// Throughput, latency and CPU of a hello server under each kind of tracing. See bench/README.md.
import { execFileSync } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { parseArgs } from 'node:util'
import { machine, versionsOf, writeResult } from '../report/machine.ts'
import type { LoadRun, RoundResult, VariantResult } from '../report/results.ts'
import type { LoadRequest, LoadResult, ServerUsage, SinkCount } from './messages.ts'
import { Child, otherCore, serverCore } from './processes.ts'
import { type VariantName, variant, variantNames } from './variants.ts'

const { values: options } = parseArgs({
  options: {
    quick: { type: 'boolean', default: false },
    node: { type: 'string', default: process.execPath },
    framework: { type: 'string', multiple: true, default: ['http', 'fastify'] },
    variant: { type: 'string', multiple: true, default: [...variantNames] },
    rounds: { type: 'string' },
    out: { type: 'string' },
    note: { type: 'string', default: '' },
  },
})
checkNames('framework', options.framework, ['http', 'fastify'])
checkNames('variant', options.variant, variantNames)
const roundCount = Number(options.rounds ?? (options.quick ? 2 : 7))
const warmUpMs = options.quick ? 1_500 : 4_000
const roundMs = options.quick ? 1_000 : 3_000
const connectionCount = 48
const spoolDir = mkdtempSync(join(tmpdir(), 'throughline-bench-'))
/** OpenTelemetry's batches wait five seconds at most, dd-trace's two, ours one. */
const settleMs = 7_000

function checkNames(option: string, names: readonly string[], allowed: readonly string[]): void {
  const unknown = names.find((name) => !allowed.includes(name))
  if (unknown === undefined) return
  console.error(
    `--${option} "${unknown}" is not known; allowed (repeat the option for several): ${allowed.join(', ')}`,
  )
  process.exit(2)
}

interface Running {
  readonly name: VariantName
  readonly server: Child
  readonly port: number
  readonly sinkPort: number
  readonly rounds: RoundResult[]
  requestCount: number
}

async function runFramework(framework: string, sink: Child, client: Child): Promise<VariantResult[]> {
  const running: Running[] = []
  for (const name of options.variant as VariantName[]) running.push(await start(name, framework, sink))
  try {
    for (const one of running) await measure(one, client, warmUpMs)
    for (let round = 1; round <= roundCount; round++) {
      for (const one of running) {
        const result = await measure(one, client, roundMs)
        one.rounds.push(result)
        console.error(`${framework} round ${round} ${one.name}: ${result.requestsPerSecond.toFixed(0)}/s`)
      }
    }
    await sleep(settleMs)
    const results: VariantResult[] = []
    for (const one of running) results.push(await summarize(one, sink))
    return results
  } finally {
    await Promise.all(running.map(({ server }) => server.stop()))
  }
}

async function start(name: VariantName, framework: string, sink: Child): Promise<Running> {
  const sinkPort = (await sink.ask(0)) as number
  const { nodeArgs, env } = variant(name, `http://127.0.0.1:${sinkPort}`, spoolDir)
  const server = new Child({
    core: serverCore,
    file: 'server.js',
    node: options.node,
    nodeArgs,
    env: { ...env, BENCH_FRAMEWORK: framework, NODE_ENV: 'production' },
  })
  const port = (await server.next()) as number
  return { name, server, port, sinkPort, rounds: [], requestCount: 0 }
}

async function measure(one: Running, client: Child, durationMs: number): Promise<RoundResult> {
  const before = (await one.server.ask('usage')) as ServerUsage
  const request: LoadRequest = { port: one.port, durationMs, connectionCount }
  const load = (await client.ask(request)) as LoadResult
  const after = (await one.server.ask('usage')) as ServerUsage
  one.requestCount += load.requestCount
  return {
    requestsPerSecond: (load.requestCount / load.durationMs) * 1000,
    latencyMsP50: load.latencyMsP50,
    latencyMsP99: load.latencyMsP99,
    cpuMicrosecondsPerRequest: ((after.cpuMs - before.cpuMs) * 1000) / load.requestCount,
    rssMib: after.rssBytes / 1024 / 1024,
    loadCpuShare: load.loadCpuShare,
    errorCount: load.errorCount,
  }
}

async function summarize(one: Running, sink: Child): Promise<VariantResult> {
  const { spanCount, bodyCount } = (await sink.ask(one.sinkPort)) as SinkCount
  return {
    variant: one.name,
    rounds: one.rounds,
    requestCount: one.requestCount,
    spanCount,
    exportCount: bodyCount,
    spansPerRequest: spanCount / one.requestCount,
  }
}

const sink = new Child({ core: otherCore, file: 'sink.js' })
const client = new Child({ core: otherCore, file: 'client.js' })
const nodeVersion = execFileSync(options.node, ['--version'], { encoding: 'utf8' }).trim()
const run: LoadRun = {
  kind: 'load',
  date: new Date().toISOString(),
  node: nodeVersion,
  machine: machine(),
  versions: versionsOf([
    '@opentelemetry/sdk-node',
    '@fastify/otel',
    'dd-trace',
    'fastify',
    '@throughline/node',
  ]),
  mode: { quick: options.quick, roundCount, roundMs, warmUpMs, connectionCount },
  note: options.note,
  frameworks: {},
}
try {
  for (const framework of options.framework) {
    run.frameworks[framework] = await runFramework(framework, sink, client)
  }
} finally {
  await Promise.all([sink.stop(), client.stop()])
  rmSync(spoolDir, { recursive: true, force: true })
}
writeResult(options.out ?? `load-node${nodeVersion.slice(1).split('.')[0]}.json`, run)
