import type { KV, KvEntry, Kvm } from '@nats-io/kv'
import type { MsgHdrs } from '@nats-io/nats-core'
import { type Attributes, context, type Span, SpanKind, trace } from '@opentelemetry/api'
import * as keys from './attributes.ts'
import { extractFromHeaders, spanContextOf } from './carrier.ts'
import { tracingOf } from './connections.ts'
import { hookMethod, isHooked } from './hook.ts'
import type { NatsTracingOptions } from './options.ts'
import { endSpan, endSpanWithError, NatsTracing } from './tracing.ts'
import { isTraced, markTraced, wrap } from './wrap.ts'

/**
 * Returns the KV manager with tracing: the buckets that it opens and creates are those of tracedKv. A manager on a
 * connection of traceNats is traced without it, and is returned as it is (see tracedJetstream).
 */
export function tracedKvm(manager: Kvm, options?: NatsTracingOptions): Kvm {
  if (isTraced(manager) || isHooked(manager, connectionOfManager(manager))) return manager
  return markTraced(
    wrap(manager, {
      create: async (name, bucketOptions) => tracedKv(await manager.create(name, bucketOptions), options),
      open: async (name, bucketOptions) => tracedKv(await manager.open(name, bucketOptions), options),
    }),
  )
}

/** Hooks the classes of a copy of @nats-io/kv: buckets on traced connections do what tracedKv gives. */
export function hookKv(exports: unknown): void {
  const { Kvm } = exports as { Kvm: { readonly prototype: Kvm } }
  for (const name of ['create', 'open']) {
    hookMethod<object, unknown[], Promise<KV>>(Kvm.prototype, name, {
      connectionOf: connectionOfManager,
      traced: async ({ args, untraced }) => tracedKv(await untraced(...args)),
    })
  }
}

function connectionOfManager(manager: { js?: { nc?: unknown } }): unknown {
  return manager.js?.nc
}

/**
 * Returns the bucket with tracing: one CLIENT span for each get, put, create, update, delete, purge, watch, keys and
 * history, named `kv.<operation> <bucket>`. A write carries the writer's context in the entry's headers when the bucket's
 * connection is traced (traceNats); a read is a span of the reader, linked to the writer and never its child.
 *
 * The span of watch, keys and history ends when the iterator is there: entries come for as long as somebody reads.
 */
export function tracedKv<T extends KV>(kv: T, options?: NatsTracingOptions): T {
  if (isTraced(kv)) return kv
  const store = storeOf(kv, options)
  const run = <R>(call: Omit<Call<R>, 'store'>): Promise<R> => traceCall({ store, ...call })
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
  }
  // T's further members are those of the bucket itself.
  return markTraced(wrap(kv, replaced as Partial<T>))
}

interface Store {
  readonly tracing: NatsTracing
  readonly bucket: string
}

interface Call<R> {
  readonly store: Store
  readonly operation: string
  readonly key: string | string[] | undefined
  readonly call: () => Promise<R>
  readonly done?: (result: R, span: Span) => void
}

function traceCall<R>({ store, operation, key, call, done }: Call<R>): Promise<R> {
  const { tracing, bucket } = store
  const active = context.active()
  if (!tracing.isOn) return call()
  if (tracing.options.rootSpans === false && spanContextOf(active) === undefined) return call()
  const attributes: Attributes = { [keys.kvBucket]: bucket, [keys.kvOperation]: operation }
  tracing.addServer(attributes)
  if (key !== undefined) attributes[keys.kvKey] = key
  const span = tracing.tracer.startSpan(
    `kv.${operation} ${bucket}`,
    { kind: SpanKind.CLIENT, attributes },
    active,
  )
  let result: Promise<R>
  try {
    result = context.with(trace.setSpan(active, span), call)
  } catch (error) {
    // update() throws where the others reject.
    endSpanWithError(span, error)
    throw error
  }
  return result.then(
    (value) => {
      done?.(value, span)
      endSpan(span)
      return value
    },
    (error: unknown) => {
      endSpanWithError(span, error)
      throw error
    },
  )
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

/** The client's bucket knows its name and its JetStream client, which its type does not show. */
function storeOf(kv: KV, options: NatsTracingOptions | undefined): Store {
  const { bucket, js } = kv as { bucket?: string; js?: { nc?: ConstructorParameters<typeof NatsTracing>[1] } }
  const inherited = options === undefined ? tracingOf(js?.nc) : undefined
  return { tracing: inherited ?? new NatsTracing(options ?? {}, js?.nc), bucket: bucket ?? 'unknown' }
}
