import { setTimeout as delay } from 'node:timers/promises'
import type { KV } from '@nats-io/kv'
import type { AgentInfo } from '../job/agent-info.ts'
import { rfc3339 } from '../job/clock.ts'
import { looksUntilLost, tellLost } from '../job/lost.ts'
import { retryUntilDone } from '../job/retry.ts'
import type { Claim, JobStore } from '../job/store.ts'
import { claimKey, isBroadcast, sanitise } from '../job/subjects.ts'
import type { Identity } from './identity.ts'

/**
 * What is to be done with a job: `run` it; `settled`: its outcome is stored, by whoever; `stopped`: this worker stops
 * before it knows.
 */
export type Decision = 'run' | 'settled' | 'stopped'

/**
 * Makes sure that a job runs once, whatever is delivered again. Whoever creates the claim may run it; nobody else ever
 * does. When the claimant is gone without an outcome, whoever finds out tells it in its stead.
 */
export class Claims {
  readonly #store: JobStore
  readonly #registry: KV
  readonly #identity: Identity
  readonly #pollMs: number

  constructor(parts: {
    readonly store: JobStore
    readonly registry: KV
    readonly identity: Identity
    readonly pollMs: number
  }) {
    this.#store = parts.store
    this.#registry = parts.registry
    this.#identity = parts.identity
    this.#pollMs = parts.pollMs
  }

  async decide(id: string, target: string, signal: AbortSignal): Promise<Decision> {
    const key = claimKey(id, isBroadcast(target) ? this.#identity.host : undefined)
    const { machineId, hostname, instance } = this.#identity
    const own: Claim = { machine_id: machineId, hostname, instance, timestamp: rfc3339() }
    if (await retryUntilDone(() => this.#store.createClaim(key, own), { signal })) return 'run'
    const claim = await retryUntilDone(() => this.#store.claim(key), { signal })
    // Ours, although creating it seemed to fail: the answer was lost. Jobs that run here were recognised before.
    if (claim === undefined || claim.instance === instance) return this.#ownOrSettled(id, claim)
    return this.#awaitOutcome(id, claim, signal)
  }

  async #ownOrSettled(id: string, claim: Claim | undefined): Promise<Decision> {
    if (claim === undefined) return 'settled'
    return (await this.#answered(id, claim)) ? 'settled' : 'run'
  }

  async #awaitOutcome(id: string, claim: Claim, signal: AbortSignal): Promise<Decision> {
    let missedLooks = 0
    while (!signal.aborted) {
      if (await retryUntilDone(() => this.#answered(id, claim), { signal })) return 'settled'
      const isMissing = !(await retryUntilDone(() => this.#alive(claim), { signal }))
      // The first look after an outage of the server may come before the claimant's next heartbeat.
      missedLooks = isMissing ? missedLooks + 1 : 0
      if (missedLooks >= looksUntilLost) {
        // It may have answered with its last breath, between the two questions.
        await retryUntilDone(() => tellLost(this.#store, id, claim), { signal })
        return 'settled'
      }
      await delay(this.#pollMs, undefined, { signal, ref: false }).catch(() => undefined)
    }
    return 'stopped'
  }

  async #answered(id: string, claim: Claim): Promise<boolean> {
    return (await this.#store.responseHosts(id)).includes(sanitise(claim.machine_id))
  }

  async #alive(claim: Claim): Promise<boolean> {
    const entry = await this.#registry.get(`agents.${sanitise(claim.machine_id)}`)
    if (entry === null || entry.operation !== 'PUT') return false
    return entry.json<AgentInfo>().instance === claim.instance
  }
}
