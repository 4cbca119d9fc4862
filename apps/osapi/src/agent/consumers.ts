import {
  AckPolicy,
  type ConsumerConfig,
  DeliverPolicy,
  type JetStreamManager,
  ReplayPolicy,
} from '@nats-io/jetstream'
import type { Config } from '../config/index.ts'
import { ensureConsumer, nanoseconds } from '../job/infrastructure.ts'
import type { Names } from '../job/names.ts'
import { jobSubject, labelPrefixes, labelRoute, sanitise } from '../job/subjects.ts'
import type { Identity } from './identity.ts'

export interface JobConsumer {
  readonly name: string
  /** True where all workers share it. */
  readonly shared: boolean
}

/** Makes sure of this worker's durable consumers, each with one filter, and of the ones that all workers share. */
export async function ensureJobConsumers(
  jsm: JetStreamManager,
  parts: { readonly names: Names; readonly identity: Identity; readonly config: Config },
): Promise<readonly JobConsumer[]> {
  const { names, identity, config } = parts
  const { consumer } = config.agent
  const own = sanitise(identity.machineId)
  const routes: { readonly route: string; readonly suffix: string; readonly shared: boolean }[] = [
    { route: '_any', suffix: 'any', shared: true },
    { route: '_all', suffix: `all_${own}`, shared: false },
    { route: `host.${identity.host}`, suffix: `direct_${own}`, shared: false },
  ]
  for (const [key, value] of Object.entries(identity.labels)) {
    for (const prefix of labelPrefixes(value)) {
      // A dot is not allowed in the name of a consumer.
      const suffix = `label_${key}_${prefix.replaceAll('.', '_')}_${own}`
      routes.push({ route: labelRoute(key, prefix), suffix, shared: false })
    }
  }
  const consumers: JobConsumer[] = []
  for (const { route, suffix, shared } of routes) {
    for (const kind of ['query', 'modify'] as const) {
      const name = `${consumer.name}_${kind}_${suffix}`
      await ensureConsumer(jsm, names.jobsStream, {
        durable_name: name,
        filter_subject: jobSubject(names.subjectPrefix, kind, route),
        // A new worker must not run what was sent before it came; the shared queue may hold what nobody has taken yet.
        deliver_policy: shared ? DeliverPolicy.All : DeliverPolicy.New,
        // What a host that is gone leaves behind goes when its last message would be too old anyhow.
        ...(shared ? {} : { inactive_threshold: nanoseconds(config.nats.stream.max_age) }),
        ...deliveryConfig(consumer),
      })
      consumers.push({ name, shared })
    }
  }
  return consumers
}

function deliveryConfig(consumer: Config['agent']['consumer']): Partial<ConsumerConfig> {
  // The server wants fewer steps than deliveries, and takes the first step for the ack wait.
  const backoff = consumer.back_off.slice(0, consumer.max_deliver - 1).map(nanoseconds)
  return {
    ack_policy: AckPolicy.Explicit,
    ack_wait: nanoseconds(consumer.ack_wait),
    max_deliver: consumer.max_deliver,
    max_ack_pending: consumer.max_ack_pending,
    replay_policy: consumer.replay_policy === 'original' ? ReplayPolicy.Original : ReplayPolicy.Instant,
    ...(backoff.length > 0 ? { backoff } : {}),
  }
}

/** How often a worker says that it is still at a job: well within the shortest time after which it is delivered again. */
export function heartbeatMs(consumer: Config['agent']['consumer']): number {
  const waitMs = Math.min(consumer.ack_wait, ...consumer.back_off.slice(0, consumer.max_deliver - 1))
  return Math.max(100, Math.floor(waitMs / 3))
}
