// The worker thread's program: started by worker-handle.ts, imported by nothing.
import { workerData } from 'node:worker_threads'
import type { HostMessage, SpoolConfig, WorkerMessage, WorkerStart } from '../messages.ts'
import { control } from './control.ts'
import { Pipeline } from './pipeline.ts'
import { createTransport } from './transport.ts'

const heartbeatMs = 1_000

// The host's side builds this object in worker-handle.ts; both sides are one release.
const start = workerData as WorkerStart
const { config, port } = start
const ownerIds = [...start.deadOwnerIds]

process.on('exit', () => {
  tellState(2)
})

const transport = await createTransport(config, (message) => post({ kind: 'said', message }))
let pipeline: Pipeline | undefined

port.on('message', (message: HostMessage) => {
  const isHostGone = Atomics.load(start.control, control.isHostGone) === 1
  if (isHostGone && message.kind !== 'stop') return
  switch (message.kind) {
    case 'chunk':
      current().add(message)
      break
    case 'open':
      current().opened(message)
      break
    case 'flush':
      pipeline?.flush()
      break
    case 'make-room':
      current().makeRoom(message.sizeBytes)
      break
    case 'open-spans':
      current().keepOpen(message.snapshots)
      break
    case 'spans-ended':
      current().spansEnded(message.openIds)
      break
    case 'pending-spans':
      current().addPending(message.bytes)
      break
    case 'save':
      if (message.isFinal) {
        current().end(message.reason, () => {
          // The process may survive its end: a signal does not kill the first process of a container.
          pipeline = undefined
        })
      } else {
        current().save()
      }
      break
    case 'stop':
      pipeline?.stop('shutdown')
      transport.close()
      port.close()
      break
  }
})
if (config.spool !== undefined) watchDisk(config.spool)
tellState(1)

function current(): Pipeline {
  pipeline ??= new Pipeline({
    config,
    transport,
    deadOwnerIds: ownerIds,
    report: post,
    now: () => performance.now(),
    schedule: (callback, delayMs) => {
      const timer = setTimeout(callback, delayMs)
      return () => {
        clearTimeout(timer)
      }
    },
  })
  return pipeline
}

/** None of these timers keeps the thread: its port does, until it is stopped. */
function watchDisk({ adoptIntervalMs, flusher }: SpoolConfig): void {
  setInterval(() => pipeline?.heartbeat(), heartbeatMs).unref()
  // What others have left is the flusher's.
  if (flusher) return
  setInterval(() => current().adopt(), adoptIntervalMs).unref()
  setImmediate(() => current().adopt())
}

function post(message: WorkerMessage): void {
  if (message.kind === 'spool-owner') ownerIds.push(message.ownerId)
  port.postMessage(message, [])
  wakeHost()
}

function tellState(state: 1 | 2): void {
  Atomics.store(start.control, control.workerState, state)
  wakeHost()
}

function wakeHost(): void {
  Atomics.add(start.control, control.messageCount, 1)
  Atomics.notify(start.control, control.messageCount)
}
