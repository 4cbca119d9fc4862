// The form of bench/results/reliability.json.
import type { CollectorKind, Protocol } from '@throughline/tests/reliability'
import type { Machine } from '../report/results.ts'
import type { VariantName } from './variants.ts'

/** One run of a program to its end. */
export interface EndResult {
  readonly way: string
  readonly protocol: Protocol
  readonly collector: CollectorKind
  readonly variant: VariantName
  readonly ended: number
  /** Distinct spans that the collector had accepted when the program was gone. */
  readonly arrived: number
  /** The same after the next start of the program, with the collector there. */
  readonly arrivedAfterNextStart: number
  readonly code: number | null
  readonly signal: string | null
  /** Code, signal, stdout and stderr (but for what tracing says) are those of the bare program. */
  readonly isAsBare: boolean
  readonly durationMs: number
  readonly bareDurationMs: number
  /** What tracing wrote on stdout or stderr. */
  readonly said: readonly string[]
  readonly saidByNextStart: readonly string[]
}

export interface KillResult {
  readonly protocol: Protocol
  readonly collector: CollectorKind
  readonly variant: VariantName
  readonly ended: number
  readonly lost: number
  /** Of the lost ones, those that had ended more than 100 ms before the last sign of life. */
  readonly lostBefore100Ms: number
  /** How long before the last sign of life the oldest lost span ended. */
  readonly oldestLostMs: number
  readonly saidByNextStart: readonly string[]
}

export interface OutageResult {
  readonly protocol: Protocol
  readonly variant: VariantName
  readonly spansPerSecond: number
  readonly outageMs: number
  readonly ended: number
  readonly lost: number
  readonly rssMibBefore: number
  readonly rssMibMax: number
  readonly heapMibMax: number
  readonly said: readonly string[]
  readonly ledger: string
}

export interface BurstResult {
  readonly protocol: Protocol
  readonly variant: VariantName
  readonly ended: number
  readonly lost: number
  readonly said: readonly string[]
}

export interface AnswerResult {
  readonly protocol: Protocol
  readonly variant: VariantName
  readonly answer: string
  /** The first request only, or every request. */
  readonly given: 'once' | 'always'
  readonly ended: number
  readonly arrived: number
  readonly requestCount: number
  readonly said: readonly string[]
  /** Empty where there is none. */
  readonly ledger: string
}

export interface ReliabilityRun {
  readonly kind: 'reliability'
  readonly date: string
  readonly node: string
  readonly machine: Machine
  readonly versions: Readonly<Record<string, string>>
  readonly note: string
  ends: readonly EndResult[]
  kills: readonly KillResult[]
  outages: readonly OutageResult[]
  bursts: readonly BurstResult[]
  answers: readonly AnswerResult[]
}
