// The worker thread's program: started by worker-handle.ts, imported by nothing.
import { parentPort, workerData } from 'node:worker_threads'
import type { HostMessage, WorkerConfig, WorkerMessage } from '../messages.ts'
import { ExportQueue } from './export-queue.ts'
import { createTransport } from './transport.ts'

if (parentPort === null) throw new Error('this file runs as a worker thread')
const port = parentPort
// The host's side builds this object in options.ts; both sides are one release.
const config = workerData as WorkerConfig

const post = (message: WorkerMessage, transfer: readonly ArrayBuffer[] = []): void => {
  port.postMessage(message, transfer)
}

const transport = await createTransport(config, (message) => post({ kind: 'said', message }))
const queue = new ExportQueue({
  transport,
  retry: config.retry,
  requestBytesMax: config.requestBytesMax,
  concurrentRequestsMax: config.concurrentRequestsMax,
  report: post,
  now: () => performance.now(),
  random: Math.random,
  schedule: (callback, delayMs) => {
    const timer = setTimeout(callback, delayMs)
    return () => {
      clearTimeout(timer)
    }
  },
})

port.on('message', (message: HostMessage) => {
  switch (message.kind) {
    case 'chunk': {
      // A copy of the used bytes: a nearly empty chunk must not keep its whole buffer waiting through an outage, and
      // the host gets its buffer back before the network has said anything.
      const bytes = new Uint8Array(message.buffer, 0, message.sizeBytes).slice()
      post({ kind: 'recycled', chunkId: message.chunkId, buffer: message.buffer }, [message.buffer])
      queue.add({ chunkId: message.chunkId, bytes })
      break
    }
    case 'flush':
      queue.flush()
      break
    case 'stop':
      queue.stop()
      transport.close()
      port.close()
      break
  }
})
