import type { KV } from '@nats-io/kv'
import type { AgentEvent, AgentInfo, ComponentInfo } from './agent-info.ts'
import type { Bus } from './bus.ts'
import { type AgentRegistry, JobError } from './client.ts'
import { rfc3339Nano, unixNano } from './clock.ts'
import { keysOf } from './kv-names.ts'
import { sanitise } from './subjects.ts'

/** The workers that have said within the registry's TTL that they are there, and the marks that drain them. */
export function createAgentRegistry(bus: Bus): AgentRegistry {
  const list = async () => {
    const agents = await entriesOf<AgentInfo>(bus, 'agents.>')
    return agents.toSorted((a, b) => a.hostname.localeCompare(b.hostname))
  }
  const find = async (name: string): Promise<AgentInfo> => {
    const found = (await list()).find((agent) => isNamed(agent, name))
    if (found === undefined) throw new JobError('agent_not_found', `agent not found: ${name}`)
    return found
  }
  return {
    list,
    get: async (name) => {
      const agent = await find(name)
      return { ...agent, timeline: await timelineOf(bus, sanitise(agent.machine_id)) }
    },
    drain: async (name) => {
      const agent = await find(name)
      const mark = JSON.stringify({ hostname: agent.hostname, timestamp: rfc3339Nano(unixNano()) })
      if (await isDrained(bus.state, agent)) {
        throw new JobError('agent_conflict', `agent ${agent.hostname} is already draining or drained`)
      }
      await bus.state.put(drainKey(agent), mark)
    },
    undrain: async (name) => {
      const agent = await find(name)
      if (!(await isDrained(bus.state, agent))) {
        throw new JobError('agent_conflict', `agent ${agent.hostname} is not draining or drained`)
      }
      await bus.state.purge(drainKey(agent))
    },
    components: async () => [
      ...(await entriesOf<ComponentInfo>(bus, 'controller.>')),
      ...(await entriesOf<ComponentInfo>(bus, 'nats.>')),
    ],
  }
}

/** By hostname or machine id. */
export function isNamed(agent: Pick<AgentInfo, 'hostname' | 'machine_id'>, name: string): boolean {
  return agent.hostname === name || agent.machine_id === name
}

function drainKey(agent: AgentInfo): string {
  return `drain.${sanitise(agent.machine_id)}`
}

async function isDrained(state: KV, agent: AgentInfo): Promise<boolean> {
  const mark = await state.get(drainKey(agent))
  return mark !== null && mark.operation === 'PUT'
}

async function timelineOf(bus: Bus, host: string): Promise<readonly AgentEvent[]> {
  const keys = await keysOf(bus.jsm, bus.names.stateBucket, `timeline.${host}.>`)
  const entries = await Promise.all(keys.map((key) => bus.state.get(key)))
  return entries
    .filter((entry) => entry !== null)
    .map((entry) => entry.json<AgentEvent>())
    .toSorted((a, b) => a.timestamp.localeCompare(b.timestamp))
}

async function entriesOf<T>(bus: Bus, filter: string): Promise<readonly T[]> {
  const keys = await keysOf(bus.jsm, bus.names.registryBucket, filter)
  const entries = await Promise.all(keys.map((key) => bus.registry.get(key)))
  return entries.flatMap((entry) => {
    if (entry === null || entry.operation !== 'PUT') return []
    try {
      return [entry.json<T>()]
    } catch {
      return []
    }
  })
}
