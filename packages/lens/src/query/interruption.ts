import type { Span } from '../model.ts'

/** How the process of an interrupted span died, and which process that was: `SIGTERM (process 4711 on web-01)`. */
export function interruptionText(span: Span): string {
  const reason = span.interruption ?? 'its process died'
  const process = processText(span.source.resource)
  return process === '' || reason.includes(process) ? reason : `${reason} (${process})`
}

function processText(resource: Span['source']['resource']): string {
  const pid = resource['process.pid']
  const host = resource['host.name']
  if (typeof pid !== 'number' && typeof pid !== 'string') return ''
  return `process ${pid}${typeof host === 'string' && host !== '' ? ` on ${host}` : ''}`
}
