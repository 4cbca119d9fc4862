import type { ServerResponse } from 'node:http'
import { errorText } from '../error-text.ts'
import { sendJson } from './http-error.ts'

const checkTimeoutMs = 2_000
const cacheMs = 5_000

/** Rejects, saying why, when what it looks at does not work. */
export type HealthCheck = () => Promise<unknown>

/** Paths that no request of a user has: no span, no log line. */
export const healthPaths = ['/healthz', '/readyz'] as const

interface CheckResult {
  readonly name: string
  readonly healthy: boolean
  readonly latency_ms: number
  readonly error?: string
}

interface Readiness {
  readonly healthy: boolean
  readonly checks: readonly CheckResult[]
  readonly duration_ms: number
}

export interface HealthOptions {
  readonly service: string
  /** By name; run side by side, for at most 2 s, and not again for 5 s. None: always ready. */
  readonly checks: Readonly<Record<string, HealthCheck>>
  /** Monotonic milliseconds. */
  readonly now: () => number
}

/** Answers `/healthz` (this process runs) and `/readyz` (it can do its work); false for every other path. */
export function healthResponder(options: HealthOptions): (path: string, response: ServerResponse) => boolean {
  let readiness: Promise<Readiness> | undefined
  let sinceMs = 0
  const check = (): Promise<Readiness> => {
    if (readiness === undefined || options.now() - sinceMs >= cacheMs) {
      sinceMs = options.now()
      readiness = runChecks(options)
    }
    return readiness
  }
  return (path, response) => {
    if (path === '/healthz') {
      sendJson(response, 200, { status: 'ok', service: options.service })
      return true
    }
    if (path !== '/readyz') return false
    void check().then((found) => sendJson(response, found.healthy ? 200 : 503, found))
    return true
  }
}

async function runChecks({ checks, now }: HealthOptions): Promise<Readiness> {
  const startMs = now()
  const results = await Promise.all(
    Object.entries(checks).map(async ([name, check]): Promise<CheckResult> => {
      const error = await failureOf(check)
      const latency = Math.round(now() - startMs)
      return {
        name,
        healthy: error === undefined,
        latency_ms: latency,
        ...(error !== undefined && { error }),
      }
    }),
  )
  const healthy = results.every((result) => result.healthy)
  return { healthy, checks: results, duration_ms: Math.round(now() - startMs) }
}

async function failureOf(check: HealthCheck): Promise<string | undefined> {
  let timer: NodeJS.Timeout | undefined
  const limit = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`no answer within ${checkTimeoutMs} ms`)), checkTimeoutMs)
    timer.unref()
  })
  try {
    await Promise.race([check(), limit])
    return undefined
  } catch (error) {
    return errorText(error)
  } finally {
    clearTimeout(timer)
  }
}
