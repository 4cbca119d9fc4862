import assert from 'node:assert/strict'
import { EventEmitter, once } from 'node:events'
import { it } from 'node:test'
import type { WorkerMessage } from './messages.ts'
import { accept, startHttpPeer } from './testing/http-peer.ts'
import { workerConfig } from './testing/worker-config.ts'
import { WorkerHandle } from './worker-handle.ts'

it('a stopped worker is not heard any more: its chunks are accounted for already', async (t) => {
  const peer = await startHttpPeer(accept)
  t.after(peer.stop)
  const heard: WorkerMessage['kind'][] = []
  const messages = new EventEmitter()
  const handle = new WorkerHandle({
    config: workerConfig({ protocol: 'http/protobuf', url: `${peer.url}/v1/traces` }),
    onMessage: ({ kind }) => {
      heard.push(kind)
      messages.emit(kind)
    },
    onCrash: (cause) => assert.fail(cause),
  })
  const postChunk = (chunkId: number): void => {
    handle.post({ kind: 'chunk', chunkId, itemCount: 1, bytes: new Uint8Array(new SharedArrayBuffer(8)) })
  }
  postChunk(1)
  await once(messages, 'delivered')
  assert.deepEqual(heard.splice(0), ['delivered'])
  postChunk(2)
  // The worker answers while this thread is busy, so that its message waits here when it is stopped.
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 200)
  await handle.stop()
  assert.deepEqual(heard, [])
})
