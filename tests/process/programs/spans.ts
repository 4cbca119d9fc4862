import { trace } from '@opentelemetry/api'

/** Ends so many spans in one tick, named `<name> 0`, `<name> 1`, ... */
export function endSpans(count: number, name: string): void {
  const tracer = trace.getTracer('program')
  for (let index = 0; index < count; index++) {
    const attributes = { index, 'http.request.method': 'GET', 'url.path': '/orders/4711', ok: true }
    tracer.startSpan(`${name} ${index}`, { attributes }).end()
  }
}

/** The names that `endSpans` gives. */
export function spanNames(count: number, name: string): string[] {
  return Array.from({ length: count }, (_, index) => `${name} ${index}`)
}
