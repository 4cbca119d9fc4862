import assert from 'node:assert/strict'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { ChildProgram, type End, type Outcome, outcomeOf } from '../harness/child-program.ts'
import { OtlpPeer, type Protocol, protocols } from '../harness/peer/otlp-peer.ts'
import type { Environment } from '../harness/processes.ts'

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
}): Case[] {
  return axes.ways.flatMap((way) =>
    protocols.flatMap((protocol) =>
      axes.collectors.flatMap((collector) =>
        axes.spools.map((spool) => ({ way, protocol, collector, spool })),
      ),
    ),
  )
}

export const programs: string = fileURLToPath(new URL('programs', import.meta.url))
export const setUpThroughline: string = new URL('programs/set-up-throughline.js', import.meta.url).href

export interface ProgramOptions {
  readonly way: string
  readonly count: number
  readonly setUp?: string
  readonly env?: Environment
  readonly nodeArgs?: readonly string[]
}

/** Starts programs/ends.ts; without a set-up it has no tracing at all. */
export function startEnds({ way, count, setUp = 'none', env, nodeArgs }: ProgramOptions): ChildProgram {
  const args = [join(programs, 'ends.js'), setUp, way, String(count)]
  return new ChildProgram({
    args,
    ...(env !== undefined && { env }),
    ...(nodeArgs !== undefined && { nodeArgs }),
  })
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

/** Our own lines must not hide in the program's output, and the program's not in ours. */
export function assertSameOutcome(end: End, baseline: Outcome): void {
  assert.deepEqual(outcomeOf(end), baseline)
}
