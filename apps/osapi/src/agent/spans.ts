import { type Attributes, type Span, SpanStatusCode, type Tracer } from '@opentelemetry/api'
import { UnsupportedError } from '../provider/index.ts'

/** Runs an action in a span of its own; what it throws is recorded and thrown on. Skipping is no error. */
export function inSpan<T>(
  tracer: Tracer,
  name: string,
  attributes: Attributes,
  action: () => Promise<T>,
): Promise<T> {
  return tracer.startActiveSpan(name, { attributes }, async (span) => {
    try {
      return await action()
    } catch (error) {
      if (!(error instanceof UnsupportedError)) failSpan(span, error)
      throw error
    } finally {
      span.end()
    }
  })
}

export function failSpan(span: Span, cause: unknown): void {
  const error = cause instanceof Error ? cause : new Error(String(cause))
  span.recordException(error)
  span.setStatus({ code: SpanStatusCode.ERROR, message: error.message })
}
