import { arch, cpus, networkInterfaces, release } from 'node:os'
import { readHostname } from './node.ts'
import type { System } from './system.ts'

/** What rarely changes of a host; `@fact.…` in the data of jobs is replaced by these. */
export interface Facts {
  readonly hostname: string
  readonly fqdn: string
  readonly arch: string
  readonly kernel: string
  readonly cpu_count: number
  readonly containerized: boolean
  readonly interface: { readonly primary: string }
  readonly interfaces: readonly { readonly name: string; readonly address: string }[]
  readonly custom: Readonly<Record<string, string>>
}

export async function collectFacts(
  system: System,
  custom: Readonly<Record<string, string>> = {},
): Promise<Facts> {
  const hostname = await readHostname(system)
  const [fqdn, primary, containerized] = await Promise.all([
    readFqdn(system, hostname),
    readPrimaryInterface(system),
    isContainerized(system),
  ])
  return {
    hostname,
    fqdn,
    arch: goArch(),
    kernel: release(),
    cpu_count: cpus().length,
    containerized,
    interface: { primary },
    interfaces: readInterfaces(),
    custom,
  }
}

/** Go's names, which existing jobs compare with. */
function goArch(): string {
  const own = arch()
  return own === 'x64' ? 'amd64' : own === 'ia32' ? '386' : own
}

/** The name with a domain that the hosts file has for this host; else the hostname. */
async function readFqdn(system: System, hostname: string): Promise<string> {
  const hosts = await system.read('/etc/hosts').catch(() => '')
  const names = hosts.split('\n').flatMap((line) => line.replace(/#.*/, '').trim().split(/\s+/).slice(1))
  return names.find((name) => name.startsWith(`${hostname}.`)) ?? hostname
}

/** The interface of the default route, '' without one. */
async function readPrimaryInterface(system: System): Promise<string> {
  const routes = await system.read('/proc/net/route').catch(() => '')
  const rows = routes.split('\n').map((line) => line.split(/\s+/))
  return rows.find(([, destination]) => destination === '00000000')?.[0] ?? ''
}

async function isContainerized(system: System): Promise<boolean> {
  for (const file of ['/.dockerenv', '/run/.containerenv']) {
    if (
      await system.read(file).then(
        () => true,
        () => false,
      )
    )
      return true
  }
  const cgroup = await system.read('/proc/1/cgroup').catch(() => '')
  return /docker|kubepods|containerd|lxc/.test(cgroup)
}

function readInterfaces(): Facts['interfaces'] {
  return Object.entries(networkInterfaces()).flatMap(([name, addresses = []]) => {
    const shown = addresses.find(({ family, internal }) => family === 'IPv4' && !internal)
    return shown === undefined ? [] : [{ name, address: shown.address }]
  })
}

const reference = /@fact\.([a-zA-Z0-9_]+(?:[.-][a-zA-Z0-9_]+)*)/g

/** Replaces `@fact.…` in every string of the data. Throws when there is no such fact. */
export function resolveFactReferences(data: unknown, facts: Facts): unknown {
  if (typeof data === 'string') return data.replace(reference, (_, path: string) => factText(facts, path))
  if (Array.isArray(data)) return data.map((item) => resolveFactReferences(item, facts))
  if (typeof data !== 'object' || data === null) return data
  return Object.fromEntries(
    Object.entries(data).map(([key, value]) => [key, resolveFactReferences(value, facts)]),
  )
}

export function hasFactReferences(data: unknown): boolean {
  return data !== undefined && JSON.stringify(data).includes('@fact.')
}

function factText(facts: Facts, path: string): string {
  const value = path.startsWith('custom.')
    ? facts.custom[path.slice('custom.'.length)]
    : simpleFacts.get(path)?.(facts)
  if (value !== undefined && value !== '') return value
  throw new Error(`failed to resolve fact references: unknown fact "@fact.${path}"`)
}

const simpleFacts: ReadonlyMap<string, (facts: Facts) => string> = new Map([
  ['interface.primary', (facts) => facts.interface.primary],
  ['hostname', (facts) => facts.hostname],
  ['fqdn', (facts) => facts.fqdn],
  ['arch', (facts) => facts.arch],
  ['kernel', (facts) => facts.kernel],
  ['cpu_count', (facts) => String(facts.cpu_count)],
  ['containerized', (facts) => String(facts.containerized)],
])
