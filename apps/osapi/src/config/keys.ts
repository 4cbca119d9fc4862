import { configSchema } from './schema.ts'
import { isTree, leafKeys, type Tree, take, underlay } from './tree.ts'

/** Every documented key; free maps (labels, roles, headers) are one key each. */
export const settingKeys: readonly string[] = leafKeys(asTree(configSchema.parse({})))

/** Spellings of earlier releases, which files and environments out there still have. */
const oldSpellings: readonly (readonly [old: string, now: string])[] = [
  ['api.client', 'controller.client'],
  ['api.server.port', 'controller.api.port'],
  ['api.server.security', 'controller.api.security'],
  ['api.server.nats', 'controller.nats'],
  ['job.worker', 'agent'],
  ['node.agent', 'agent'],
  ['nats.audit.ttl', 'nats.audit.max_age'],
  ['telemetry.enabled', 'telemetry.tracing.enabled'],
  ['telemetry.otlp_endpoint', 'telemetry.tracing.otlp_endpoint'],
]

const withoutEffect = ['telemetry.metrics', 'nats.audit.bucket']

/** `controller.api.port` is `OSAPI_CONTROLLER_API_PORT`. */
export function environmentName(key: string): string {
  return `OSAPI_${key.replaceAll('.', '_').toUpperCase()}`
}

/** The keys that this environment sets, with the old names' values behind the documented ones'. */
export function* environmentSettings(
  env: Readonly<Record<string, string | undefined>>,
): Generator<{ readonly key: string; readonly value: string; readonly warning?: string }> {
  for (const key of settingKeys) {
    const documented = environmentName(key)
    for (const name of [documented, ...oldNames(key).map(environmentName)]) {
      const value = env[name]
      if (value === undefined || value === '') continue
      const warning = `${name} is an old name: use ${documented}`
      yield name.startsWith('OSAPI_TELEMETRY') && name !== documented
        ? { key, value, warning }
        : { key, value }
      break
    }
  }
}

/** Moves old spellings to the documented keys, which win where a file has both. Returns what to warn about. */
export function modernise(tree: Tree): string[] {
  const warnings: string[] = []
  for (const key of withoutEffect) {
    if (take(tree, key) !== undefined) warnings.push(`configuration key ${key} has no effect any more`)
  }
  for (const [old, now] of oldSpellings) {
    const value = take(tree, old)
    if (value === undefined) continue
    underlay(tree, now, value)
    if (old.startsWith('telemetry')) warnings.push(`configuration key ${old} is old: use ${now}`)
  }
  const unknown = leafKeys(tree).filter((key) => !isKnown(key))
  return [...warnings, ...unknown.map((key) => `unknown configuration key ${key}`)]
}

function isKnown(key: string): boolean {
  // An emptied map of an old spelling, or a section without keys, says nothing and needs no warning.
  return (
    settingKeys.some(
      (known) => known === key || key.startsWith(`${known}.`) || known.startsWith(`${key}.`),
    ) || oldSpellings.some(([old]) => old.startsWith(`${key}.`))
  )
}

function oldNames(key: string): string[] {
  return oldSpellings.flatMap(([old, now]) => {
    if (key === now) return [old]
    return key.startsWith(`${now}.`) ? [old + key.slice(now.length)] : []
  })
}

function asTree(value: unknown): Tree {
  return isTree(value) ? value : {}
}
