import { hostname } from 'node:os'
import type { Logger } from 'pino'
import type { ComponentInfo } from '../job/agent-info.ts'
import type { Bus } from '../job/bus.ts'
import { rfc3339 } from '../job/clock.ts'
import { processUsage } from '../job/process-usage.ts'
import { sanitise } from '../job/subjects.ts'

export interface Presence {
  stop(): Promise<void>
}

/** Keeps `controller.<host>` or `nats.<host>` in the registry. A heartbeat that fails is logged and tried again. */
export async function announce(
  about: Pick<ComponentInfo, 'type' | 'version' | 'sub_components'>,
  { bus, logger, intervalMs }: { readonly bus: Bus; readonly logger: Logger; readonly intervalMs: number },
): Promise<Presence> {
  const key = `${about.type}.${sanitise(hostname())}`
  const startedAt = rfc3339()
  const usage = processUsage()
  const beat = async () => {
    const info: ComponentInfo = {
      ...about,
      hostname: hostname(),
      status: 'Ready',
      registered_at: rfc3339(),
      started_at: startedAt,
      process: usage(),
    }
    try {
      await bus.registry.put(key, JSON.stringify(info))
    } catch (error) {
      logger.warn({ error }, 'failed to write heartbeat')
    }
  }
  await beat()
  const timer = setInterval(() => void beat(), intervalMs)
  timer.unref()
  return {
    stop: async () => {
      clearInterval(timer)
      await bus.registry.purge(key).catch(() => undefined)
    },
  }
}
