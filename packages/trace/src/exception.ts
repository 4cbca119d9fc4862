import type { Attributes } from '@opentelemetry/api'
import { toText } from './text.ts'

/** Enough for any readable stack; a generated message must not fill the exporter's buffers. */
const stackCharsMax = 32_768
const messageCharsMax = 8192
const causesMax = 8

/**
 * The `exception.*` attributes of whatever was thrown: an Error, something like one, or any other value. Never throws,
 * whatever getters and proxies do. https://opentelemetry.io/docs/specs/semconv/exceptions/exceptions-spans/
 */
export function exceptionAttributes(exception: unknown): Attributes {
  try {
    return describe(exception)
  } catch {
    return { 'exception.type': 'unknown', 'exception.message': 'the thrown value cannot be read' }
  }
}

function describe(exception: unknown): Attributes {
  if (typeof exception !== 'object' || exception === null) {
    return {
      'exception.type': exception === null ? 'null' : typeof exception,
      'exception.message': String(exception).slice(0, messageCharsMax),
    }
  }
  const { code, message } = exception as { code?: unknown; message?: unknown }
  const attributes: Attributes = { 'exception.type': typeOf(exception, code) }
  attributes['exception.message'] = toText(message ?? (exception instanceof Error ? '' : exception)).slice(
    0,
    messageCharsMax,
  )
  const stack = stackWithCauses(exception)
  if (stack !== '') attributes['exception.stacktrace'] = stack.slice(0, stackCharsMax)
  return attributes
}

/** Node's own errors are all named Error; what tells them apart is the code. */
function typeOf(exception: object, code: unknown): string {
  if (typeof code === 'string' && code !== '') return code
  const { name } = exception as { name?: unknown }
  if (typeof name === 'string' && name !== '') return name
  return exception.constructor?.name || 'Object'
}

/** The stack, and below it those of the chain of causes, as Java and Python print them. */
function stackWithCauses(exception: object): string {
  let stacks = ''
  let current: unknown = exception
  const seen = new Set<unknown>()
  while (typeof current === 'object' && current !== null && !seen.has(current) && seen.size <= causesMax) {
    seen.add(current)
    const { stack, message, cause } = current as { stack?: unknown; message?: unknown; cause?: unknown }
    const own = typeof stack === 'string' ? stack : ''
    if (seen.size === 1) stacks = own
    else stacks += `\nCaused by: ${own === '' ? toText(message ?? current) : own}`
    if (stacks.length > stackCharsMax) return stacks
    current = cause
  }
  if (current !== undefined && current !== null && typeof current !== 'object')
    stacks += `\nCaused by: ${toText(current)}`
  return stacks
}
