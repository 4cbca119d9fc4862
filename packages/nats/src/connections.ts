import type { NatsTracing } from './tracing.ts'

const tracings = new WeakMap<object, NatsTracing>()

/** The tracing of a connection that traceNats returned. */
export function tracingOf(connection: unknown): NatsTracing | undefined {
  return typeof connection === 'object' && connection !== null ? tracings.get(connection) : undefined
}

export function setTracing(connection: object, tracing: NatsTracing): void {
  tracings.set(connection, tracing)
}
