import { type ProcessIdentity, systemProbe } from '@throughline/spool'

/** A claim whose holder has not renewed it for so long is nobody's. */
const claimAgeMsMax = 15_000
/** After a flusher has failed, none is started for so long; doubled by each further failure. */
const pauseMs = 15_000
const pauseMsMax = 5 * 60_000

/** What the file says: who delivers, or until when nobody is to try. */
interface Claim {
  readonly process: ProcessIdentity
  readonly pausedUntilMs: number
  readonly failureCount: number
}

/**
 * The right to deliver a spool folder's records in the background: a file `flusher` in it. It keeps processes from starting
 * one flusher each. Nothing depends on its being right: two flushers would share the records among them.
 */
export class FlusherClaim {
  readonly #path: string
  #failureCount = 0

  constructor(dir: string) {
    this.#path = `${dir}/flusher`
  }

  /** True: the caller is to start a flusher, and to say `startedAs` what came of it. Throws what the file system throws. */
  tryTake(): boolean {
    const { openSync, closeSync, unlinkSync } = process.getBuiltinModule('node:fs')
    const found = this.#read()
    if (found !== undefined && !found.isFree) return false
    this.#failureCount = found?.claim?.failureCount ?? 0
    try {
      if (found !== undefined) unlinkSync(this.#path)
      closeSync(openSync(this.#path, 'wx', 0o600))
      return true
    } catch {
      // Another one was faster.
      return false
    }
  }

  /** The flusher's process; of a child its start is not known yet. */
  holdAs(pid: number, startTime = ''): void {
    this.#write({ process: { ...systemProbe.self(), pid, startTime }, pausedUntilMs: 0 })
  }

  /** For the flusher itself: false when another one has the claim. To be called again and again, which keeps it. */
  keep(): boolean {
    const { pid, startTime } = systemProbe.self()
    const found = this.#read()
    if (found?.claim !== undefined && found.claim.process.pid !== pid && !found.isFree) return false
    this.#failureCount = Math.max(this.#failureCount, found?.claim?.failureCount ?? 0)
    this.holdAs(pid, startTime)
    return true
  }

  release(): void {
    process.getBuiltinModule('node:fs').rmSync(this.#path, { force: true })
  }

  /** The collector is away: nobody is to try for a while. */
  pause(): void {
    const delayMs = Math.min(pauseMs * 2 ** this.#failureCount, pauseMsMax)
    this.#failureCount++
    this.#write({ process: systemProbe.self(), pausedUntilMs: Date.now() + delayMs })
  }

  /** Undefined: there is no claim. */
  #read(): { readonly claim: Claim | undefined; readonly isFree: boolean } | undefined {
    const { lstatSync, readFileSync } = process.getBuiltinModule('node:fs')
    let claim: Claim | undefined
    let ageMs: number
    try {
      ageMs = Math.abs(Date.now() - lstatSync(this.#path).mtimeMs)
      claim = parseClaim(readFileSync(this.#path, 'utf8'))
    } catch {
      return undefined
    }
    if (claim === undefined || claim.pausedUntilMs === 0)
      return { claim, isFree: ageMs > claimAgeMsMax || isGone(claim) }
    const isPaused = claim.pausedUntilMs > Date.now() && ageMs < pauseMsMax
    return { claim, isFree: !isPaused }
  }

  #write(claim: Omit<Claim, 'failureCount'>): void {
    const { writeFileSync, renameSync } = process.getBuiltinModule('node:fs')
    const temporaryPath = `${this.#path}.${process.pid}`
    writeFileSync(temporaryPath, JSON.stringify({ ...claim, failureCount: this.#failureCount }), {
      mode: 0o600,
    })
    renameSync(temporaryPath, this.#path)
  }
}

function isGone(claim: Claim | undefined): boolean {
  return claim !== undefined && systemProbe.isGone(claim.process, Date.now())
}

/** Undefined for what is not, or not yet, a claim. */
function parseClaim(text: string): Claim | undefined {
  try {
    const value: Partial<Claim> | null = JSON.parse(text)
    const isClaim =
      typeof value?.process?.pid === 'number' &&
      typeof value.pausedUntilMs === 'number' &&
      typeof value.failureCount === 'number'
    return isClaim ? (value as Claim) : undefined // Its fields were looked at just now.
  } catch {
    return undefined
  }
}
