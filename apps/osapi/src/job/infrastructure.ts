import {
  type ConsumerConfig,
  DiscardPolicy,
  JetStreamApiError,
  type JetStreamManager,
  RetentionPolicy,
  StorageType,
  type StreamConfig,
} from '@nats-io/jetstream'
import type { Kvm } from '@nats-io/kv'
import type { Config, StorageConfig } from '../config/index.ts'
import type { Names } from './names.ts'

/** JetStream's error codes for what is not there. */
const streamNotFound = 10_059
const consumerNotFound = 10_014

/** Creates the streams and buckets that are missing, and leaves those alone that are there. */
export async function ensureInfrastructure(
  jsm: JetStreamManager,
  kvm: Kvm,
  { config, names }: { readonly config: Config['nats']; readonly names: Names },
): Promise<void> {
  await ensureStream(jsm, {
    name: names.jobsStream,
    subjects: [names.jobsSubjects],
    max_age: nanoseconds(config.stream.max_age),
    max_msgs: config.stream.max_msgs,
    discard: config.stream.discard === 'new' ? DiscardPolicy.New : DiscardPolicy.Old,
    ...streamStorage(config.stream),
  })
  await ensureStream(jsm, {
    name: names.dlqStream,
    subjects: [`$JS.EVENT.ADVISORY.CONSUMER.MAX_DELIVERIES.${names.jobsStream}.*`],
    description: 'dead letter queue: advisories about jobs that reached max deliveries',
    max_age: nanoseconds(config.dlq.max_age),
    max_msgs: config.dlq.max_msgs,
    ...streamStorage(config.dlq),
  })
  await ensureStream(jsm, {
    name: names.auditStream,
    subjects: [`${names.auditSubject}.>`],
    max_age: nanoseconds(config.audit.max_age),
    max_bytes: config.audit.max_bytes,
    ...streamStorage(config.audit),
  })
  const jobs = { ttl: config.kv.ttl, max_bytes: config.kv.max_bytes, ...bucketStorage(config.kv) }
  const { registry, facts, state } = config
  await kvm.create(names.jobsBucket, jobs)
  await kvm.create(names.responsesBucket, jobs)
  await kvm.create(names.registryBucket, { ttl: registry.ttl, ...bucketStorage(registry) })
  await kvm.create(names.factsBucket, { ttl: facts.ttl, ...bucketStorage(facts) })
  await kvm.create(names.stateBucket, bucketStorage(state))
}

/** Creates a durable consumer if it is missing; the settings of one that is there stay as they are. */
export async function ensureConsumer(
  jsm: JetStreamManager,
  stream: string,
  config: Partial<ConsumerConfig> & { readonly durable_name: string },
): Promise<void> {
  try {
    await jsm.consumers.info(stream, config.durable_name)
  } catch (error) {
    if (!hasCode(error, consumerNotFound)) throw error
    await jsm.consumers.add(stream, config)
  }
}

export function nanoseconds(ms: number): number {
  return Math.round(ms * 1e6)
}

async function ensureStream(
  jsm: JetStreamManager,
  config: Partial<StreamConfig> & { readonly name: string },
): Promise<void> {
  try {
    await jsm.streams.info(config.name)
  } catch (error) {
    if (!hasCode(error, streamNotFound)) throw error
    await jsm.streams.add({ retention: RetentionPolicy.Limits, ...config })
  }
}

function hasCode(error: unknown, code: number): boolean {
  return error instanceof JetStreamApiError && error.code === code
}

function streamStorage({ storage, replicas }: StorageConfig) {
  return { storage: storageType(storage), num_replicas: replicas }
}

function bucketStorage({ storage, replicas }: StorageConfig) {
  return { storage: storageType(storage), replicas }
}

function storageType(storage: StorageConfig['storage']): StorageType {
  return storage === 'memory' ? StorageType.Memory : StorageType.File
}
