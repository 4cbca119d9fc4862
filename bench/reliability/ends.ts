import { once } from 'node:events'
import { get, type IncomingMessage } from 'node:http'
import { join } from 'node:path'
import {
  ChildProgram,
  type CollectorKind,
  type End,
  nextPort,
  ownAddress,
  type Protocol,
  programs,
  protocols,
  Scene,
} from '@throughline/tests/reliability'
import { runAll, saidBy, startAgain, startEnds } from './programs.ts'
import type { EndResult } from './results.ts'
import { tracedVariants, type Variant, variants } from './variants.ts'

const count = 100

interface Way {
  readonly name: string
  /** Spans that end beside those of the program itself. */
  readonly furtherCount?: number
  readonly nodeArgs?: readonly string[]
  /** What V8 and libc write when a process aborts is different each time. */
  readonly isOutputRandom?: boolean
  /** Ends the program from outside. */
  readonly signal?: NodeJS.Signals
  readonly way?: string
  readonly isServer?: boolean
}

const signals = ['SIGTERM', 'SIGINT', 'SIGHUP'] as const

const ways: readonly Way[] = [
  { name: 'natural end', way: 'natural' },
  { name: 'process.exit(3)', way: 'exit-3' },
  { name: 'uncaught exception', way: 'throw' },
  { name: 'unhandled rejection', way: 'reject' },
  ...signals.map((signal) => ({ name: signal, way: 'wait', signal })),
  ...signals.map((signal) => ({
    name: `${signal}, bare HTTP server`,
    signal,
    isServer: true,
    furtherCount: 1,
  })),
  { name: 'worker thread throws', way: 'thread-throws', furtherCount: count },
  { name: 'worker thread: process.exit', way: 'thread-exits', furtherCount: count },
  { name: 'process.abort, 1 s later', way: 'abort-later', isOutputRandom: true },
  {
    name: 'out of memory, 1 s later',
    way: 'out-of-memory-later',
    isOutputRandom: true,
    nodeArgs: ['--max-old-space-size=40'],
  },
]

const collectors: readonly CollectorKind[] = ['there', 'slow', 'refused', 'hanging']

/** Every way to end, under every collector, with every variant. */
export async function measureEnds(concurrentMax: number): Promise<EndResult[]> {
  const bare = new Map<string, End>()
  for (const way of ways) bare.set(way.name, await runTo(way, variants.none, undefined))
  const tasks = ways.flatMap((way) =>
    protocols.flatMap((protocol) =>
      collectors.flatMap((collector) =>
        tracedVariants.map(
          (variant) => () => measure(way, { protocol, collector, variant, bare: bare.get(way.name) }),
        ),
      ),
    ),
  )
  return runAll('ends', tasks, concurrentMax)
}

interface Circumstances {
  readonly protocol: Protocol
  readonly collector: CollectorKind
  readonly variant: Variant
  readonly bare: End | undefined
}

async function measure(way: Way, { protocol, collector, variant, bare }: Circumstances): Promise<EndResult> {
  if (bare === undefined) throw new Error(`${way.name} was not run bare`)
  const scene = await Scene.of({ protocol, collector, spool: variant.spool })
  try {
    const end = await runTo(way, variant, scene)
    const arrived = scene.peer.received.spans.size
    const ended = count + (way.furtherCount ?? 0)
    const saidByNextStart = arrived === ended ? [] : await startAgain(variant, scene, ended)
    return {
      way: way.name,
      protocol,
      collector,
      variant: variant.name,
      ended,
      arrived,
      arrivedAfterNextStart: scene.peer.received.spans.size,
      code: end.code,
      signal: end.signal,
      isAsBare:
        end.code === bare.code &&
        end.signal === bare.signal &&
        (way.isOutputRandom === true || (end.stdout === bare.stdout && end.stderr === bare.stderr)),
      durationMs: Math.round(end.durationMs),
      bareDurationMs: Math.round(bare.durationMs),
      said: way.isOutputRandom === true ? end.ourLines : saidBy(end, bare),
      saidByNextStart,
    }
  } finally {
    await scene.end()
  }
}

async function runTo(way: Way, variant: Variant, scene: Scene | undefined): Promise<End> {
  if (way.isServer === true) return runServer(way, variant, scene)
  const program = startEnds(variant, scene, { way: way.way ?? '', count, nodeArgs: way.nodeArgs ?? [] })
  if (way.signal !== undefined) {
    await program.printed(/waits/u)
    program.kill(way.signal)
  }
  return endOf(program)
}

/** One request, then the signal. */
async function runServer(way: Way, variant: Variant, scene: Scene | undefined): Promise<End> {
  const port = nextPort()
  const args = [
    join(programs, 'server.js'),
    variant.setUp,
    ownAddress,
    String(port),
    'SIGTERM',
    'bare',
    String(count),
  ]
  const program = new ChildProgram({ args, env: { ...scene?.env, ...variant.env } })
  await program.printed(/listens/u)
  const [response] = (await once(get({ host: ownAddress, port, agent: false }), 'response')) as [
    IncomingMessage,
  ]
  await once(response.resume(), 'end')
  program.kill(way.signal ?? 'SIGTERM')
  return endOf(program)
}

/** A program that does not die is killed by its harness; that is a result, too. */
async function endOf(program: ChildProgram): Promise<End> {
  try {
    return await program.end()
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error)
    return {
      code: null,
      signal: null,
      stdout: '',
      stderr: message,
      ourLines: [],
      durationMs: Number.POSITIVE_INFINITY,
    }
  }
}
