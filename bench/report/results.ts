// The form of the files in bench/results.

export interface RoundResult {
  readonly requestsPerSecond: number
  readonly latencyMsP50: number
  readonly latencyMsP99: number
  readonly cpuMicrosecondsPerRequest: number
  readonly rssMib: number
  readonly loadCpuShare: number
  readonly errorCount: number
}

export interface VariantResult {
  readonly variant: string
  readonly rounds: readonly RoundResult[]
  /** Warm-up and rounds. */
  readonly requestCount: number
  readonly spanCount: number
  readonly exportCount: number
  readonly spansPerRequest: number
}

export interface Machine {
  readonly cpu: string
  readonly coreCount: number
  readonly memoryGib: number
  readonly loadAverageAtStart: number
}

export interface LoadRun {
  readonly kind: 'load'
  readonly date: string
  readonly node: string
  readonly machine: Machine
  readonly versions: Readonly<Record<string, string>>
  readonly mode: Readonly<Record<string, number | boolean>>
  /** What a reader must know of the circumstances; empty when nothing. */
  readonly note: string
  readonly frameworks: Record<string, VariantResult[]>
}

export interface MicroRun {
  readonly kind: 'micro'
  readonly date: string
  readonly node: string
  readonly machine: Machine
  readonly versions: Readonly<Record<string, string>>
  readonly note: string
  readonly benchmarks: readonly MicroResult[]
}

export interface MicroResult {
  readonly group: string
  readonly name: string
  /** How many things one iteration handles (spans of a batch). */
  readonly perIteration: number
  readonly nanosecondsMin: number
  readonly nanosecondsP50: number
  readonly nanosecondsP99: number
  readonly heapBytes: number | undefined
}

export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b)
  const middle = sorted.length >> 1
  const upper = sorted[middle] ?? Number.NaN
  return sorted.length % 2 === 1 ? upper : ((sorted[middle - 1] ?? Number.NaN) + upper) / 2
}

/** `bench/load/nats.ts`: a program on NATS, with tracing over without. */
export interface NatsRun {
  readonly kind: 'nats'
  readonly date: string
  readonly node: string
  readonly machine: LoadRun['machine']
  readonly versions: LoadRun['versions']
  readonly mode: LoadRun['mode']
  readonly note: LoadRun['note']
  readonly results: readonly {
    readonly variant: string
    readonly scenarios: readonly {
      readonly scenario: string
      readonly perSecondMedian: number
      /** Of 1: median over the rounds of this round's throughput over that of the bare program. */
      readonly keptMedian: number
      readonly cpuMicrosecondsMedian: number
    }[]
  }[]
}
