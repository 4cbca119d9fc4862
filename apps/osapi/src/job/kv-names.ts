import type { JetStreamManager } from '@nats-io/jetstream'

/**
 * The keys of a bucket that match a filter. One request of the stream's subjects, where a key list by the KV client makes
 * and deletes a consumer; it counts tombstones too, so it is for keys that are purged and never deleted.
 */
export async function keysOf(jsm: JetStreamManager, bucket: string, filter: string): Promise<string[]> {
  const prefix = `$KV.${bucket}.`
  const info = await jsm.streams.info(`KV_${bucket}`, { subjects_filter: prefix + filter })
  return Object.keys(info.state.subjects ?? {}).map((subject) => subject.slice(prefix.length))
}

/** Removes the keys that match a filter without a trace. */
export async function removeKeys(jsm: JetStreamManager, bucket: string, filter: string): Promise<number> {
  const { purged } = await jsm.streams.purge(`KV_${bucket}`, { filter: `$KV.${bucket}.${filter}` })
  return purged
}
