// Subjects, targets and KV keys of jobs.

export type JobKind = 'query' | 'modify'

/** A part of a subject or key: every character outside `[a-zA-Z0-9_]` becomes `_`. */
export function sanitise(part: string): string {
  return part.replace(/[^a-zA-Z0-9_]/g, '_')
}

/** `_all` and labels go to every worker that matches; anything else to one. */
export function isBroadcast(target: string): boolean {
  return target === '_all' || target.includes(':')
}

const modifying = new Set([
  'node.hostname.update',
  'network.dns.update',
  'network.dns.delete',
  'command.exec.execute',
  'command.shell.execute',
])

/** Reads are queries; of a type that is not ours the last word decides, and `node.` is taken for a read. */
export function kindOf(operationType: string): JobKind {
  if (modifying.has(operationType)) return 'modify'
  return operationType.startsWith('node.') || /\.(?:get|query|read|status|do)$/.test(operationType)
    ? 'query'
    : 'modify'
}

/** The last part of a subject. For one worker, `target` is its machine id or hostname. */
export function routeOf(target: string): string {
  if (target === '_any' || target === '_all') return target
  const colon = target.indexOf(':')
  if (colon < 0) return `host.${sanitise(target)}`
  return labelRoute(target.slice(0, colon), target.slice(colon + 1))
}

/** `group` and `web.dev` give `label.group.web.dev`; segments are limited to `[a-zA-Z0-9_-]` by validation. */
export function labelRoute(key: string, value: string): string {
  return `label.${key}.${value}`
}

/** `web.dev.us-east` is matched by `web`, `web.dev` and `web.dev.us-east`. */
export function labelPrefixes(value: string): string[] {
  const segments = value.split('.')
  return segments.map((_, index) => segments.slice(0, index + 1).join('.'))
}

/** Whether a worker with these labels is meant by `key:value`. */
export function labelMatches(labels: Readonly<Record<string, string>>, target: string): boolean {
  const colon = target.indexOf(':')
  const key = target.slice(0, colon)
  const own = Object.hasOwn(labels, key) ? labels[key] : undefined
  return own !== undefined && labelPrefixes(own).includes(target.slice(colon + 1))
}

export function jobSubject(prefix: string, kind: JobKind, route: string): string {
  return `${prefix}jobs.${kind}.${route}`
}

/** The target that a subject was published for, or undefined when it is not a job's subject. */
export function parseSubject(subject: string, prefix: string): { kind: JobKind; target: string } | undefined {
  if (!subject.startsWith(`${prefix}jobs.`)) return undefined
  const [kind, ...route] = subject.slice(prefix.length + 'jobs.'.length).split('.')
  if (kind !== 'query' && kind !== 'modify') return undefined
  const [first, ...rest] = route
  if ((first === '_any' || first === '_all') && rest.length === 0) return { kind, target: first }
  if (first === 'host' && rest.length === 1) return { kind, target: rest[0] ?? '' }
  if (first === 'label' && rest.length >= 2) return { kind, target: `${rest[0]}:${rest.slice(1).join('.')}` }
  return undefined
}

/** A subject without the ids in it, for the names of spans: `jobs.query.host.{host}`, `audit.{id}`. */
export function subjectTemplate(subject: string): string | undefined {
  const job = /^(.*?jobs\.(?:query|modify))\.(host|label)\./.exec(subject)
  if (job !== null) return `${job[1]}.${job[2]}.{${job[2]}}`
  return subject.replace(/\.[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}$/, '.{id}')
}

const idPattern = /^[a-zA-Z0-9_-]{1,128}$/

/** What may stand in a key as a job's id. The API only makes UUIDs. */
export function isJobId(text: string): boolean {
  return idPattern.test(text)
}

export const definitionKey = (id: string): string => `jobs.${id}`
export const responseKey = (id: string, host: string, unixNano: number | bigint): string =>
  `responses.${id}.${host}.${unixNano}`
export const eventKey = (id: string, event: string, host: string, unixNano: number | bigint): string =>
  `status.${id}.${event}.${host}.${unixNano}`
/** Of the one worker that may run the job; a broadcast has one for each host. */
export const claimKey = (id: string, host?: string): string =>
  host === undefined ? `claims.${id}` : `claims.${id}.${host}`
