/** How the process, or this thread of it, comes to its end. */
export type EndCause =
  | { readonly kind: 'exit'; readonly code: number }
  /** `isFatal`: nobody else listens to the signal, so that the process dies of it. */
  | { readonly kind: 'signal'; readonly signal: NodeJS.Signals; readonly isFatal: boolean }

/** Something that has to be brought to safety before the process is gone. Nothing of it may throw. */
export interface Ending {
  readonly signals: readonly NodeJS.Signals[]
  /** The event loop is empty. Asynchronous work that is begun here holds the end up; the call then comes again. */
  onIdle(): void
  /** Begins to save; must not wait. Comes again when the process survived a signal. */
  beginEnd(cause: EndCause): void
  /** Waits, without the event loop, until all is saved or the time is up. */
  finishEnd(cause: EndCause): void
}

// One set for each thread, since process listeners are the thread's: several exporters then save at the same time, and our
// own listeners are not strangers to each other where it matters whether anybody else listens to a signal.
const endings = new Set<Ending>()
const watchedSignals = new Set<NodeJS.Signals>()

/** Calls `ending` at the end of the process or thread, until the function is called that this returns. */
export function watchProcessEnd(ending: Ending): () => void {
  if (endings.size === 0) {
    process.on('beforeExit', onBeforeExit)
    process.on('exit', onExit)
  }
  endings.add(ending)
  for (const signal of ending.signals) {
    if (watchedSignals.has(signal)) continue
    watchedSignals.add(signal)
    process.prependListener(signal, onSignal)
  }
  return () => {
    endings.delete(ending)
    for (const signal of watchedSignals) if (!isWanted(signal)) unwatch(signal)
    if (endings.size > 0) return
    process.off('beforeExit', onBeforeExit)
    process.off('exit', onExit)
  }
}

function isWanted(signal: NodeJS.Signals): boolean {
  for (const { signals } of endings) if (signals.includes(signal)) return true
  return false
}

function unwatch(signal: NodeJS.Signals): void {
  watchedSignals.delete(signal)
  process.off(signal, onSignal)
}

function onBeforeExit(): void {
  for (const ending of endings) ending.onIdle()
}

function onExit(code: number): void {
  save({ kind: 'exit', code }, endings)
}

/**
 * A listener changes what a signal does: without one the process dies. So ours steps aside for the rest of the dispatch, which
 * is when packages such as signal-exit count the listeners to see whether they are the only ones, and where nobody else
 * listens it sends the signal again, so that the process dies of it as it would have without us.
 */
function onSignal(signal: NodeJS.Signals): void {
  process.off(signal, onSignal)
  const isFatal = process.listenerCount(signal) === 0
  save(
    { kind: 'signal', signal, isFatal },
    [...endings].filter(({ signals }) => signals.includes(signal)),
  )
  // Others decide what the signal means; or it does not kill, as in the first process of a container.
  setImmediate(() => {
    if (watchedSignals.has(signal)) process.prependListener(signal, onSignal)
  }).unref()
  if (isFatal) process.kill(process.pid, signal)
}

function save(cause: EndCause, those: Iterable<Ending>): void {
  const ended = [...those]
  for (const ending of ended) ending.beginEnd(cause)
  for (const ending of ended) ending.finishEnd(cause)
}
