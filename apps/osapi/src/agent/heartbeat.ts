import { cpus } from 'node:os'
import type { Config } from '../config/index.ts'
import type { AgentInfo, AgentStateName, Condition } from '../job/agent-info.ts'
import type { Bus } from '../job/bus.ts'
import { rfc3339 } from '../job/clock.ts'
import { processUsage } from '../job/process-usage.ts'
import { collectFacts, type Facts } from '../provider/facts.ts'
import { readDisks, readLoad, readMemory, readOs, readUptimeSeconds, uptimeText } from '../provider/node.ts'
import type { System } from '../provider/system.ts'
import { evaluateConditions } from './conditions.ts'
import type { Identity } from './identity.ts'

export interface HeartbeatParts {
  readonly bus: Bus
  readonly system: System
  readonly identity: Identity
  readonly config: Config
  readonly version: string
  readonly state: () => AgentStateName
}

/** Says in the registry that a worker is there, and how its host is. */
export class Heartbeat {
  readonly #parts: HeartbeatParts
  readonly #startedAt = rfc3339()
  readonly #usage = processUsage()
  #conditions: readonly Condition[] = []
  #facts: Facts | undefined
  #factsAt = Number.NEGATIVE_INFINITY

  constructor(parts: HeartbeatParts) {
    this.#parts = parts
  }

  get registryKey(): string {
    return `agents.${this.#parts.identity.host}`
  }

  async beat(): Promise<void> {
    const { bus, identity } = this.#parts
    const facts = await this.facts()
    await bus.registry.put(this.registryKey, JSON.stringify(await this.#describe(facts)))
    if (performance.now() - this.#factsAt >= this.#parts.config.agent.facts.interval) {
      await bus.facts.put(`facts.${identity.host}`, JSON.stringify(facts))
      this.#factsAt = performance.now()
    }
  }

  /** Nobody shall wait for this worker any more. */
  async end(): Promise<void> {
    await this.#parts.bus.registry.purge(this.registryKey)
  }

  /** The host's facts, collected again once they are older than their interval. */
  async facts(): Promise<Facts> {
    const { system, config } = this.#parts
    const stale = performance.now() - this.#factsAt >= config.agent.facts.interval
    if (this.#facts === undefined || stale) {
      this.#facts = await collectFacts(system, config.agent.facts.custom)
    }
    return this.#facts
  }

  async #describe(facts: Facts): Promise<AgentInfo> {
    const { system, identity, config, version, state } = this.#parts
    const [memory, load, disks, os, uptime] = await Promise.all([
      optional(readMemory(system)),
      optional(readLoad(system)),
      optional(readDisks(system)),
      optional(readOs(system)),
      optional(readUptimeSeconds(system)),
    ])
    const measured = { ...present({ memory, load, disks }), cpuCount: cpus().length }
    this.#conditions = evaluateConditions(config.agent.conditions, measured, this.#conditions)
    return {
      machine_id: identity.machineId,
      hostname: identity.hostname,
      instance: identity.instance,
      status: 'Ready',
      state: state(),
      labels: identity.labels,
      registered_at: rfc3339(),
      started_at: this.#startedAt,
      agent_version: version,
      ...present({ os_info: os, load_average: load, memory }),
      ...(uptime === undefined ? {} : { uptime: uptimeText(uptime) }),
      conditions: this.#conditions,
      architecture: facts.arch,
      kernel_version: facts.kernel,
      fqdn: facts.fqdn,
      cpu_count: facts.cpu_count,
      interfaces: facts.interfaces,
      process: this.#usage(),
      sub_components: this.#subComponents(),
    }
  }

  #subComponents(): AgentInfo['sub_components'] {
    const { tracing } = this.#parts.config.telemetry
    return {
      heartbeat: { status: 'ok' },
      consumers: { status: this.#parts.state() === 'Ready' ? 'ok' : 'stopped' },
      tracing: { status: tracing.enabled ? 'ok' : 'disabled' },
    }
  }
}

async function optional<T>(reading: Promise<T>): Promise<T | undefined> {
  return reading.catch(() => undefined)
}

/** Leaves out what is undefined. */
function present<T extends object>(fields: T): { [K in keyof T]?: Exclude<T[K], undefined> } {
  const entries = Object.entries(fields).filter(([, value]) => value !== undefined)
  return Object.fromEntries(entries) as { [K in keyof T]?: Exclude<T[K], undefined> }
}
