import type { LogValue } from '@throughline/otlp'

/** https://opentelemetry.io/docs/specs/semconv/exceptions/exceptions-logs/; anything may be thrown. */
export function exceptionAttributes(thrown: unknown): Record<string, LogValue> {
  if (typeof thrown !== 'object' || thrown === null) return { 'exception.message': String(thrown) }
  const { name, type, message, stack, constructor } = thrown as Readonly<Record<string, unknown>>
  const constructorName = typeof constructor === 'function' ? constructor.name : undefined
  const typeName = [type, name, constructorName].find((text) => typeof text === 'string' && text !== '')
  return {
    ...(typeof typeName === 'string' && { 'exception.type': typeName }),
    ...(typeof message === 'string' && { 'exception.message': message }),
    ...(typeof stack === 'string' && { 'exception.stacktrace': stack }),
  }
}
