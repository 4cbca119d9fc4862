import type { AgentInfo } from '../job/agent-info.ts'
import type { AgentRegistry } from '../job/client.ts'
import { isNamed } from '../job/nats-registry.ts'
import { labelMatches } from '../job/subjects.ts'

const cacheMs = 5_000
const lookupMsMax = 3_000

export interface TargetValidator {
  /** Resolves with what is wrong with a target, or undefined. Rejects when the registry cannot be read. */
  check(target: string): Promise<string | undefined>
}

/**
 * Accepts `_any`, `_all`, a registered hostname or machine id, and labels that at least one worker has. The registry
 * is read at most once in 5 seconds, and a read takes at most 3.
 */
export function createTargetValidator(
  agents: Pick<AgentRegistry, 'list'>,
  now: () => number = Date.now,
): TargetValidator {
  let cached: { readonly agents: Promise<readonly AgentInfo[]>; readonly until: number } | undefined
  const known = (): Promise<readonly AgentInfo[]> => {
    if (cached && now() < cached.until) return cached.agents
    const reading = limited(agents.list())
    const entry = { agents: reading, until: now() + cacheMs }
    cached = entry
    // A failed read must not be the answer for the next five seconds.
    reading.catch(() => {
      if (cached === entry) cached = undefined
    })
    return reading
  }
  return {
    check: async (target) => {
      if (target === '_any' || target === '_all') return undefined
      const found = (await known()).some((agent) => isMatch(agent, target))
      return found ? undefined : `target agent "${target}" not found`
    },
  }
}

/** True when the target names this worker or one of its labels, whole or up to a dot. */
export function isMatch(
  agent: Pick<AgentInfo, 'hostname' | 'machine_id' | 'labels'>,
  target: string,
): boolean {
  return target.includes(':') ? labelMatches(agent.labels, target) : isNamed(agent, target)
}

async function limited<T>(reading: Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined
  const limit = new Promise<never>((_, reject) => {
    timer = setTimeout(
      () => reject(new Error(`agent registry did not answer within ${lookupMsMax} ms`)),
      lookupMsMax,
    )
  })
  try {
    return await Promise.race([reading, limit])
  } finally {
    clearTimeout(timer)
  }
}
