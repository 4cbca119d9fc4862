// Throughput of a program on NATS with tracing over without. See bench/README.md.
import { execFileSync } from 'node:child_process'
import { parseArgs } from 'node:util'
import { startNatsServer } from '@throughline/nats-server'
import { machine, versionsOf, writeResult } from '../report/machine.ts'
import { type NatsRequest, type NatsResult, natsScenarios } from './messages.ts'
import { Child, otherCore, serverCore } from './processes.ts'
import { type Variant, type VariantName, variant } from './variants.ts'

const { values: options } = parseArgs({
  options: {
    quick: { type: 'boolean', default: false },
    node: { type: 'string', default: process.execPath },
    variant: {
      type: 'string',
      multiple: true,
      default: ['none', 'throughline', 'throughline-unsampled', 'dd-trace'],
    },
    rounds: { type: 'string' },
    out: { type: 'string' },
    note: { type: 'string', default: '' },
  },
})
const roundCount = Number(options.rounds ?? (options.quick ? 3 : 9))
const roundMs = options.quick ? 1_000 : 3_000
const warmUpMs = options.quick ? 1_000 : 4_000

interface Round {
  readonly perSecond: number
  /** Of the whole program, with the threads of its tracing. */
  readonly cpuMicroseconds: number
}

interface Running {
  readonly variant: VariantName
  readonly program: Child
  readonly rounds: Record<NatsRequest['scenario'], Round[]>
}

async function start(name: VariantName, natsUrl: string, sink: Child): Promise<Running> {
  const sinkPort = (await sink.ask(0)) as number
  const { nodeArgs, env } = natsVariant(variant(name, `http://127.0.0.1:${sinkPort}`))
  const program = new Child({
    core: serverCore,
    file: 'nats-program.js',
    node: options.node,
    nodeArgs,
    env: { ...env, BENCH_NATS_URL: natsUrl, NODE_ENV: 'production' },
  })
  await program.next()
  return { variant: name, program, rounds: { request: [], consume: [] } }
}

/** The set-up of the hello server, with the connection wrapped. */
function natsVariant({ nodeArgs, env }: Variant): Variant {
  const own = nodeArgs.map((text) => text.replace('setup-throughline.js', 'setup-nats-throughline.js'))
  return { nodeArgs: own, env }
}

async function measure(one: Running, scenario: NatsRequest['scenario'], durationMs: number): Promise<Round> {
  const request: NatsRequest = { scenario, durationMs }
  const result = (await one.program.ask(request)) as NatsResult
  return {
    perSecond: (result.count / result.durationMs) * 1_000,
    cpuMicroseconds: (result.cpuMs / result.count) * 1_000,
  }
}

function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? Number.NaN
}

const nodeVersion = execFileSync(options.node, ['--version'], { encoding: 'utf8' }).trim()
const server = await startNatsServer({ jetstream: true, env: { PATH: process.env['PATH'] } })
const sink = new Child({ core: otherCore, file: 'sink.js' })
const running: Running[] = []
try {
  for (const name of options.variant as VariantName[]) running.push(await start(name, server.url, sink))
  for (const scenario of natsScenarios) {
    for (const one of running) await measure(one, scenario, warmUpMs)
    for (let round = 1; round <= roundCount; round++) {
      for (const one of running) one.rounds[scenario].push(await measure(one, scenario, roundMs))
    }
  }
  const [reference] = running
  const results = running.map(({ variant: name, rounds }) => ({
    variant: name,
    scenarios: natsScenarios.map((scenario) => ({
      scenario,
      perSecondMedian: median(rounds[scenario].map(({ perSecond }) => perSecond)),
      cpuMicrosecondsMedian: median(rounds[scenario].map(({ cpuMicroseconds }) => cpuMicroseconds)),
      // Of each round against the reference's same round, so that a slow minute of the machine hits both.
      keptMedian: median(
        rounds[scenario].map(
          ({ perSecond }, at) => perSecond / (reference?.rounds[scenario][at]?.perSecond ?? Number.NaN),
        ),
      ),
      rounds: rounds[scenario],
    })),
  }))
  for (const { variant: name, scenarios } of results) {
    for (const { scenario, perSecondMedian, keptMedian, cpuMicrosecondsMedian } of scenarios) {
      const kept = `keeps ${(keptMedian * 100).toFixed(1)} %`
      const cpu = `${cpuMicrosecondsMedian.toFixed(1)} us of CPU each`
      console.log(
        `${scenario.padEnd(8)} ${name.padEnd(24)} ${perSecondMedian.toFixed(0).padStart(7)}/s  ${kept}  ${cpu}`,
      )
    }
  }
  writeResult(options.out ?? `nats-node${nodeVersion.slice(1).split('.')[0]}.json`, {
    kind: 'nats',
    date: new Date().toISOString(),
    node: nodeVersion,
    machine: machine(),
    versions: versionsOf(['dd-trace', '@nats-io/nats-core', '@throughline/nats']),
    mode: { quick: options.quick, roundCount, roundMs, warmUpMs, payloadBytes: 1024 },
    note: options.note,
    results,
  })
} finally {
  await Promise.all([sink.stop(), ...running.map(({ program }) => program.stop())])
  await server.stop()
}
