import assert from 'node:assert/strict'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { TestContext } from 'node:test'
import { fileURLToPath } from 'node:url'
import {
  type ChildOptions,
  ChildProgram,
  type End,
  type Outcome,
  outcomeOf,
} from '../harness/child-program.ts'
import { OtlpPeer, type Protocol, protocols } from '../harness/peer/otlp-peer.ts'
import type { Environment } from '../harness/processes.ts'
import { spanNames } from './programs/spans.ts'

export type CollectorKind = 'there' | 'slow' | 'refused' | 'hanging'
export type SpoolMode = 'off' | 'on-failure' | 'always'

/** One way to end under one collector with one kind of spool. */
export interface Case {
  readonly way: string
  readonly protocol: Protocol
  readonly collector: CollectorKind
  readonly spool: SpoolMode
}

export function titleOf({ way, protocol, collector, spool }: Case): string {
  return `${way}: ${protocol}, collector ${collector}, spool ${spool}`
}

/** Each combination of these. */
export function casesOf(axes: {
  readonly ways: readonly string[]
  readonly collectors: readonly CollectorKind[]
  readonly spools: readonly SpoolMode[]
  /** Default: both. */
  readonly over?: Protocol
}): Case[] {
  return axes.ways.flatMap((way) =>
    (axes.over === undefined ? protocols : [axes.over]).flatMap((protocol) =>
      axes.collectors.flatMap((collector) =>
        axes.spools.map((spool) => ({ way, protocol, collector, spool })),
      ),
    ),
  )
}

export const programs: string = fileURLToPath(new URL('programs', import.meta.url))
export const setUpThroughline: string = new URL('programs/set-up-throughline.js', import.meta.url).href

export interface ProgramOptions extends Omit<ChildOptions, 'args'> {
  readonly way: string
  readonly count: number
  readonly setUp?: string
}

/** Starts programs/ends.ts; without a set-up it has no tracing at all. */
export function startEnds({ way, count, setUp = 'none', ...child }: ProgramOptions): ChildProgram {
  return new ChildProgram({ ...child, args: [join(programs, 'ends.js'), setUp, way, String(count)] })
}

const baselines = new Map<string, Promise<Outcome>>()

/** How the program ends without tracing; run once for each key. */
export function baselineOf(key: string, run: () => Promise<End>): Promise<Outcome> {
  const known = baselines.get(key)
  if (known !== undefined) return known
  const baseline = run().then(outcomeOf)
  baselines.set(key, baseline)
  return baseline
}

/** A collector, a spool folder, and the environment by which a program finds both. */
export class Scene {
  readonly peer: OtlpPeer
  readonly spoolDir: string
  readonly env: Environment

  private constructor(peer: OtlpPeer, spoolDir: string, spool: SpoolMode) {
    this.peer = peer
    this.spoolDir = spoolDir
    this.env = {
      OTEL_EXPORTER_OTLP_ENDPOINT: peer.endpoint,
      OTEL_EXPORTER_OTLP_PROTOCOL: peer.protocol,
      ...(spool !== 'off' && { PROOF_SPOOL_DIR: spoolDir, PROOF_SPOOL_MODE: spool }),
    }
  }

  static async of({ protocol, collector, spool }: Omit<Case, 'way'>): Promise<Scene> {
    const peer = collector === 'refused' ? OtlpPeer.away(protocol) : await OtlpPeer.start(protocol)
    if (collector === 'slow') peer.answer({ kind: 'accept', delayMs: 200 })
    if (collector === 'hanging') peer.answer({ kind: 'hang' })
    return new Scene(peer, await mkdtemp(join(tmpdir(), 'throughline-proof-')), spool)
  }

  /** From now on the collector is there and takes everything. */
  async heal(): Promise<void> {
    this.peer.answer({ kind: 'accept' })
    await this.peer.goAway()
    await this.peer.listen()
  }

  async end(): Promise<void> {
    await this.peer.goAway()
    await rm(this.spoolDir, { recursive: true, force: true })
  }
}

/** The ledger as the program printed it at its very end. */
export interface Account {
  readonly ended: number
  readonly delivered: number
  readonly pending: number
  readonly spooled: number
  readonly dropped: Readonly<Record<string, number>>
}

/** Of a program that ran with PROOF_LEDGER=1. Every account has to add up. */
export function accountOf({ stdout }: End): Account {
  const line = /^ledger (\{.*\})$/mu.exec(stdout)?.[1]
  assert.ok(line !== undefined, `no account in:\n${stdout}`)
  const account = JSON.parse(line) as Account
  const { ended, delivered, pending, spooled, dropped } = account
  const droppedCount = Object.values(dropped).reduce((sum, value) => sum + value, 0)
  assert.equal(ended, delivered + pending + spooled + droppedCount, line)
  return account
}

/** How many spans each program ends, and each of its threads. */
export const count = 20

/** By the way to end: names of spans beside those that the program itself ends before it. */
const furtherSpans: Readonly<Record<string, readonly string[]>> = {
  'spans-in-exit-handler': spanNames(5, 'late'),
  'exit-in-before-exit': spanNames(5, 'late'),
  'thread-ends': spanNames(count, 'thread'),
  'thread-throws': spanNames(count, 'thread'),
  'thread-throws-unhandled': spanNames(count, 'thread'),
  'thread-exits': spanNames(count, 'thread'),
  'thread-terminated': spanNames(count, 'thread'),
}

function namesOf(way: string): readonly string[] {
  return [...spanNames(count, 'work'), ...(furtherSpans[way] ?? [])]
}

/** Runs the program to its end; a way that is a signal gets it when the program waits. */
export async function runToEnd(way: string, options: Partial<ProgramOptions> = {}): Promise<End> {
  if (!way.startsWith('SIG')) return startEnds({ way, count, ...options }).end()
  const program = startEnds({ way: 'wait', count, ...options })
  await program.printed(/waits/u)
  program.kill(way as NodeJS.Signals)
  return program.end()
}

/** One case whose spans all arrive, at the latest with the next start; the end itself is as without us. */
export async function losesNothing(one: Case, t: TestContext): Promise<void> {
  const scene = await Scene.of(one)
  t.after(() => scene.end())
  const end = await endOf(one, scene)
  const names = namesOf(one.way)
  const { received } = scene.peer
  if (received.spans.size < names.length && one.spool !== 'off') await startAgain(scene, names.length)
  assert.deepEqual(received.names.toSorted(), names.toSorted(), end.ourLines.join('\n'))
  assert.ok(received.deliveriesMax <= 2, `a span was delivered ${received.deliveriesMax} times`)
}

/** One case that cannot deliver: it says how many spans are lost, and that is all that differs. */
export async function endsAsWithoutUs(one: Case, t: TestContext): Promise<void> {
  const scene = await Scene.of(one)
  t.after(() => scene.end())
  const end = await endOf(one, scene)
  const said = new RegExp(`\\b${namesOf(one.way).length} spans\\b`, 'u')
  assert.ok(
    end.ourLines.some((line) => said.test(line)),
    `nothing of ${said} in:\n${end.ourLines.join('\n')}`,
  )
}

async function endOf(one: Case, scene: Scene): Promise<End> {
  const baseline = await baselineOf(one.way, () => runToEnd(one.way))
  // A collector that answers gets all the time that a busy machine may need.
  const answers = one.collector === 'there' || one.collector === 'slow'
  const env = { ...scene.env, ...(answers && { PROOF_EXIT_TIMEOUT_MS: '30000' }) }
  const end = await runToEnd(one.way, { setUp: setUpThroughline, env })
  assert.deepEqual(outcomeOf(end), baseline)
  return end
}

/** Starts the program again with the collector there, until so many spans have arrived; resolves with what it said. */
export async function startAgain(scene: Scene, spanCount: number): Promise<readonly string[]> {
  await scene.heal()
  const program = startEnds({ way: 'wait', count: 0, setUp: setUpThroughline, env: scene.env })
  await program.printed(/waits/u)
  await scene.peer.received.untilSpans(spanCount)
  program.kill('SIGTERM')
  return (await program.end()).ourLines
}
