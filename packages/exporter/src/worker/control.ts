// Values that both threads need stand in this folder, since only it is shipped beside the host's bundle.

/** Places in the memory by which the threads see each other without an event loop. */
export const control = {
  /** How many messages the worker has posted: a host without an event loop waits here for the next. */
  messageCount: 0,
  /** 0: the worker is booting; 1: it reads messages; 2: it is gone. */
  workerState: 1,
  /** 1: the dying host has written to disk itself what the worker has not read yet, which must not be sent too. */
  isHostGone: 2,
  length: 3,
} as const

/** Places in the memory by which the worker sees what the host's open chunk holds. */
export const openChunk = {
  /** Which chunk it is going to be; 0: none, or not to be looked at now. */
  chunkId: 0,
  sizeBytes: 1,
  length: 2,
} as const

/** The kind of a spool record that is an export request, fit to be delivered as it is. */
export const chunkRecordKind = 1

/** Where the detached flusher finds its configuration. */
export const flusherVariable = 'THROUGHLINE_FLUSHER_CONFIG'
