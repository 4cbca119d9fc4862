import { type ReadableSpan, TracerProvider } from '@throughline/trace'

export interface TestSpans {
  /** In the order of their ends. */
  readonly ended: ReadableSpan[]
  readonly unregister: () => void
}

/** A global provider that keeps what ended. */
export function collectSpans(): TestSpans {
  const ended: ReadableSpan[] = []
  const provider = new TracerProvider({
    spanProcessors: [
      {
        onStart: () => {},
        onEnd: (span) => void ended.push(span),
        forceFlush: () => Promise.resolve(),
        shutdown: () => Promise.resolve(),
      },
    ],
  })
  provider.register()
  return { ended, unregister: () => provider.unregister() }
}
