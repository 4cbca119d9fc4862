import type { KV, KvEntry, Kvm } from '@nats-io/kv'
import type { MsgHdrs } from '@nats-io/nats-core'
import type { Attributes, Span } from '@opentelemetry/api'
import * as keys from './attributes.ts'
import { extractFromHeaders, spanContextOf } from './carrier.ts'
import { hookMethod, isHooked } from './hook.ts'
import type { NatsTracingOptions } from './options.ts'
import { type StoreClient, storeTracing, traceStoreCall } from './store-call.ts'
import type { NatsTracing } from './tracing.ts'
import { isTraced, markTraced, wrap } from './wrap.ts'

/** Returns the KV manager with tracing: the buckets that it opens and creates are those of tracedKv. */
export function tracedKvm(manager: Kvm, options?: NatsTracingOptions): Kvm {
  if (isTraced(manager) || isHooked(manager, connectionOf(manager))) return manager
  const tracing = storeTracing(clientOf(manager), options)
  const open = async (opening: Opening): Promise<KV> => tracedKv(await openKV(tracing, opening), options)
  return markTraced(
    wrap(manager, {
      create: (bucket, o) => open({ operation: 'create', bucket, call: () => manager.create(bucket, o) }),
      open: (bucket, o) => open({ operation: 'open', bucket, call: () => manager.open(bucket, o) }),
    }),
  )
}

/** Hooks the classes of a copy of @nats-io/kv: buckets on traced connections do what tracedKv gives. */
export function hookKv(exports: unknown): void {
  const { Kvm } = exports as { Kvm: { readonly prototype: object } }
  for (const operation of ['create', 'open']) {
    hookMethod<object, unknown[], Promise<KV>>(Kvm.prototype, operation, {
      connectionOf,
      traced: async ({ tracing, args, untraced }) => {
        const call = (): Promise<KV> => untraced(...args)
        return tracedKv(await openKV(tracing, { operation, bucket: String(args[0]), call }))
      },
    })
  }
}

export interface Opening {
  readonly operation: string
  readonly bucket: string
  readonly call: () => Promise<KV>
}

export function openKV(tracing: NatsTracing, { operation, bucket, call }: Opening): Promise<KV> {
  const attributes = { [keys.kvBucket]: bucket, [keys.kvOperation]: operation }
  return traceStoreCall({ tracing, name: `kvm.${operation} ${bucket}`, attributes, call })
}

function connectionOf(store: object): unknown {
  return clientOf(store)?.nc
}

function clientOf(store: object): StoreClient | undefined {
  return (store as { js?: StoreClient }).js
}

/**
 * Returns the bucket with tracing: one CLIENT span for each operation, named `kv.<operation> <bucket>`. A write carries the
 * writer's context in the entry's headers when the bucket's connection is traced (traceNats); a read is a span of the
 * reader, linked to the writer and never its child.
 *
 * The span of watch, keys and history ends when the iterator is there: entries come for as long as somebody reads.
 */
export function tracedKv<T extends KV>(kv: T, options?: NatsTracingOptions): T {
  if (isTraced(kv)) return kv
  const store = storeOf(kv, options)
  const run = <R>(call: Call<R>): Promise<R> => runCall(store, call)
  const replaced: Partial<KV> = {
    get: (key, o) =>
      run({
        operation: 'get',
        key,
        call: () => kv.get(key, o),
        done: (entry, span) => noteEntry(store, entry, span),
      }),
    put: (key, data, o) =>
      run({ operation: 'put', key, call: () => kv.put(key, data, o), done: noteRevision }),
    create: (key, data, ttl) =>
      run({ operation: 'create', key, call: () => kv.create(key, data, ttl), done: noteRevision }),
    update: (key, data, version, timeout) =>
      run({
        operation: 'update',
        key,
        call: () => kv.update(key, data, version, timeout),
        done: noteRevision,
      }),
    delete: (key, o) => run({ operation: 'delete', key, call: () => kv.delete(key, o) }),
    purge: (key, o) => run({ operation: 'purge', key, call: () => kv.purge(key, o) }),
    watch: (o) => run({ operation: 'watch', key: o?.key, call: () => kv.watch(o) }),
    history: (o) => run({ operation: 'history', key: o?.key, call: () => kv.history(o) }),
    keys: (key) => run({ operation: 'keys', key, call: () => kv.keys(key) }),
    status: () => run({ operation: 'status', call: () => kv.status() }),
    destroy: () => run({ operation: 'destroy', call: () => kv.destroy() }),
  }
  // T's further members are those of the bucket itself.
  return markTraced(wrap(kv, replaced as Partial<T>))
}

interface Store {
  readonly tracing: NatsTracing
  readonly bucket: string
}

interface Call<R> {
  readonly operation: string
  readonly key?: string | string[] | undefined
  readonly call: () => Promise<R>
  readonly done?: (result: R, span: Span) => void
}

/** A watch may have any number of filters. */
const keysMax = 16

function runCall<R>({ tracing, bucket }: Store, { operation, key, call, done }: Call<R>): Promise<R> {
  const attributes: Attributes = { [keys.kvBucket]: bucket, [keys.kvOperation]: operation }
  if (typeof key === 'string') attributes[keys.kvKey] = keys.bounded(key)
  else if (Array.isArray(key)) attributes[keys.kvKey] = key.slice(0, keysMax).map(keys.bounded)
  return traceStoreCall({ tracing, name: `kv.${operation} ${bucket}`, attributes, call, done })
}

function noteRevision(revision: number, span: Span): void {
  span.setAttribute(keys.kvRevision, revision)
}

function noteEntry({ tracing }: Store, entry: KvEntry | null, span: Span): void {
  if (entry === null) return
  span.setAttribute(keys.kvRevision, entry.revision)
  // The stored message behind an entry is not part of the client's types.
  const { sm } = entry as { sm?: { header?: MsgHdrs } }
  const writer = spanContextOf(extractFromHeaders(sm?.header, undefined, tracing.propagator))
  if (writer !== undefined) span.addLink({ context: writer })
}

/** The client's bucket knows its name, which its type does not show. */
function storeOf(kv: KV, options: NatsTracingOptions | undefined): Store {
  const { bucket = 'unknown' } = kv as { bucket?: string }
  return { tracing: storeTracing(clientOf(kv), options), bucket }
}
