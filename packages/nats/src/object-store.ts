import type { ObjectInfo, ObjectResult, ObjectStore, Objm } from '@nats-io/obj'
import type { Attributes, Span } from '@opentelemetry/api'
import * as keys from './attributes.ts'
import { hookMethod, isHooked } from './hook.ts'
import type { NatsTracingOptions } from './options.ts'
import { type StoreClient, storeTracing, traceStoreCall } from './store-call.ts'
import { type NatsTracing, recordError } from './tracing.ts'
import { isTraced, markTraced, wrap } from './wrap.ts'

/** Returns the object store manager with tracing: the stores that it opens and creates are those of tracedObjectStore. */
export function tracedObjm(manager: Objm, options?: NatsTracingOptions): Objm {
  if (isTraced(manager) || isHooked(manager, connectionOf(manager))) return manager
  const tracing = storeTracing(clientOf(manager), options)
  const open = async (opening: Opening): Promise<ObjectStore> =>
    tracedObjectStore(await openObjectStore(tracing, opening), options)
  return markTraced(
    wrap(manager, {
      create: (bucket, o) => open({ operation: 'create', bucket, call: () => manager.create(bucket, o) }),
      open: (bucket, o) => open({ operation: 'open', bucket, call: () => manager.open(bucket, o) }),
    }),
  )
}

/** Hooks the classes of a copy of @nats-io/obj: stores on traced connections do what tracedObjectStore gives. */
export function hookObjectStore(exports: unknown): void {
  const { Objm } = exports as { Objm: { readonly prototype: object } }
  for (const operation of ['create', 'open']) {
    hookMethod<object, unknown[], Promise<ObjectStore>>(Objm.prototype, operation, {
      connectionOf,
      traced: async ({ tracing, args, untraced }) => {
        const call = (): Promise<ObjectStore> => untraced(...args)
        return tracedObjectStore(await openObjectStore(tracing, { operation, bucket: String(args[0]), call }))
      },
    })
  }
}

export interface Opening {
  readonly operation: string
  readonly bucket: string
  readonly call: () => Promise<ObjectStore>
}

export function openObjectStore(
  tracing: NatsTracing,
  { operation, bucket, call }: Opening,
): Promise<ObjectStore> {
  const attributes = { [keys.objectBucket]: bucket, [keys.objectOperation]: operation }
  return traceStoreCall({ tracing, name: `objm.${operation} ${bucket}`, attributes, call })
}

function connectionOf(store: object): unknown {
  return clientOf(store)?.nc
}

function clientOf(store: object): StoreClient | undefined {
  return (store as { js?: StoreClient }).js
}

/**
 * Returns the object store with tracing: one CLIENT span for each operation, named `objectstore.<operation> <bucket>`,
 * however many messages an object has. The span of get lasts until the object has come, was cancelled or has failed, that
 * of put until the object is stored. What is read is linked to its writer when the store's connection is traced
 * (traceNats), and never its child.
 */
export function tracedObjectStore<T extends ObjectStore>(objects: T, options?: NatsTracingOptions): T {
  if (isTraced(objects)) return objects
  const store = storeOf(objects, options)
  const run = <R>(call: Call<R>): Promise<R> => runCall(store, call)
  const replaced: Partial<ObjectStore> = {
    put: (meta, data, o) =>
      run({ operation: 'put', name: meta.name, call: () => objects.put(meta, data, o), done: noteInfo }),
    putBlob: (meta, data, o) =>
      run({ operation: 'put', name: meta.name, call: () => objects.putBlob(meta, data, o), done: noteInfo }),
    get: (name) =>
      run({ operation: 'get', name, reads: true, call: () => objects.get(name), done: untilRead }),
    getBlob: (name) =>
      run({ operation: 'get', name, reads: true, call: () => objects.getBlob(name), done: noteBlob }),
    info: (name) =>
      run({ operation: 'info', name, reads: true, call: () => objects.info(name), done: noteInfo }),
    delete: (name) => run({ operation: 'delete', name, call: () => objects.delete(name) }),
    update: (name, meta) => run({ operation: 'update', name, call: () => objects.update(name, meta) }),
    link: (name, info) =>
      run({ operation: 'link', name, call: () => objects.link(name, info), done: noteInfo }),
    linkStore: (name, other) =>
      run({ operation: 'link_store', name, call: () => objects.linkStore(name, other), done: noteInfo }),
    list: () => run({ operation: 'list', call: () => objects.list() }),
    watch: (o) => run({ operation: 'watch', call: () => objects.watch(o) }),
    seal: () => run({ operation: 'seal', call: () => objects.seal() }),
    status: (o) => run({ operation: 'status', call: () => objects.status(o) }),
    destroy: () => run({ operation: 'destroy', call: () => objects.destroy() }),
  }
  // T's further members are those of the store itself.
  return markTraced(wrap(objects, replaced as Partial<T>))
}

interface Store {
  readonly tracing: NatsTracing
  readonly bucket: string
}

interface Call<R> {
  readonly operation: string
  readonly name?: string
  /** What it reads has a writer. */
  readonly reads?: boolean
  readonly call: () => Promise<R>
  readonly done?: (result: R, span: Span) => void | true
}

function runCall<R>({ tracing, bucket }: Store, { operation, name, reads, call, done }: Call<R>): Promise<R> {
  const attributes: Attributes = { [keys.objectBucket]: bucket, [keys.objectOperation]: operation }
  // A JavaScript caller may leave out what the client then refuses.
  if (typeof name === 'string') attributes[keys.objectName] = keys.bounded(name)
  return traceStoreCall({
    tracing,
    name: `objectstore.${operation} ${bucket}`,
    attributes,
    linksWriters: reads === true,
    call,
    done,
  })
}

function noteInfo(info: ObjectInfo | null, span: Span): void {
  if (info === null) return
  span.setAttributes({ [keys.objectSize]: info.size, [keys.objectChunks]: info.chunks })
}

function noteBlob(blob: Uint8Array | null, span: Span): void {
  if (blob !== null) span.setAttribute(keys.objectSize, blob.length)
}

/** The client settles `error` when the object's last chunk has come, when its reader has cancelled, and when it fails. */
function untilRead(result: ObjectResult | null, span: Span): void | true {
  if (result === null) return undefined
  noteInfo(result.info, span)
  // Exchanged, not listened to: a failure that nobody handles must stay one.
  result.error = result.error.then(
    (error) => {
      if (error) recordError(span, error)
      span.end()
      return error
    },
    (error: unknown) => {
      recordError(span, error)
      span.end()
      throw error
    },
  )
  return true
}

/** The client's store knows its name, which its type does not show. */
function storeOf(objects: ObjectStore, options: NatsTracingOptions | undefined): Store {
  const { name = 'unknown' } = objects as { name?: string }
  return { tracing: storeTracing(clientOf(objects), options), bucket: name }
}
