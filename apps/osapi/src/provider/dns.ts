import { isIP } from 'node:net'
import type { ChangeResult, DnsResult } from '../job/results.ts'
import { type System, toolError, tryTool, UnsupportedError } from './system.ts'

export interface DnsChange {
  readonly interface: string
  readonly servers: readonly string[]
  readonly searchDomains: readonly string[]
  /** What DHCP says of name servers is not taken any more. */
  readonly overrideDhcp: boolean
}

const interfacePattern = /^[a-zA-Z0-9][a-zA-Z0-9_.-]{0,14}$/
const domainPattern = /^(?=.{1,253}$)[a-zA-Z0-9_](?:[a-zA-Z0-9_-]{0,62})(?:\.[a-zA-Z0-9_-]{1,63})*\.?$/

/** Of systemd-resolved where it runs, else of /etc/resolv.conf, which then holds for every interface. */
export async function getDns(system: System, link: string): Promise<DnsResult> {
  await checkInterface(system, link)
  const servers = await resolvectl(system, ['dns', link])
  const domains = await resolvectl(system, ['domain', link])
  if (servers !== undefined && domains !== undefined) {
    return { servers: linkValues(servers), search_domains: linkValues(domains) }
  }
  const text = await system.read('/etc/resolv.conf').catch(() => undefined)
  if (text === undefined) throw new UnsupportedError('neither resolvectl nor /etc/resolv.conf')
  return parseResolvConf(text)
}

/** By a netplan drop-in, which stays; where there is no netplan by resolvectl, which holds until the next boot. */
export async function updateDns(system: System, change: DnsChange): Promise<ChangeResult> {
  checkChange(change)
  await checkInterface(system, change.interface)
  if ((await tryTool(system, 'netplan', ['info'])) !== undefined) return updateByNetplan(system, change)
  const before = await resolvectl(system, ['dns', change.interface])
  if (before === undefined) throw new UnsupportedError('neither netplan nor resolvectl')
  const { servers, search_domains: domains } = await getDns(system, change.interface)
  const isSame = sameList(change.servers, servers) && sameList(change.searchDomains, domains)
  if (isSame) return { success: true, changed: false, message: 'DNS is as wanted already' }
  if (change.servers.length > 0)
    await mustRun(system, 'resolvectl', ['dns', change.interface, ...change.servers])
  if (change.searchDomains.length > 0) {
    await mustRun(system, 'resolvectl', ['domain', change.interface, ...change.searchDomains])
  }
  return { success: true, changed: true, message: 'DNS updated until the next boot' }
}

/** Takes back what updateDns did. */
export async function deleteDns(system: System, link: string): Promise<ChangeResult> {
  await checkInterface(system, link)
  if ((await tryTool(system, 'netplan', ['info'])) !== undefined) {
    const file = dropIn(link)
    const existed = (await system.read(file).catch(() => undefined)) !== undefined
    if (!existed) return { success: true, changed: false, message: 'no DNS configuration of ours' }
    await system.remove(file)
    await mustRun(system, 'netplan', ['apply'])
    return { success: true, changed: true, message: 'DNS configuration removed' }
  }
  if ((await resolvectl(system, ['revert', link])) === undefined) {
    throw new UnsupportedError('neither netplan nor resolvectl')
  }
  return { success: true, changed: true, message: 'DNS of the interface reverted' }
}

async function updateByNetplan(system: System, change: DnsChange): Promise<ChangeResult> {
  const file = dropIn(change.interface)
  const text = netplanText(change)
  const before = await system.read(file).catch(() => undefined)
  if (before === text) return { success: true, changed: false, message: 'DNS is as wanted already' }
  await system.write(file, text)
  try {
    await mustRun(system, 'netplan', ['generate'])
  } catch (error) {
    // A drop-in that netplan refuses must not be there at the next boot.
    if (before === undefined) await system.remove(file)
    else await system.write(file, before)
    throw error
  }
  await mustRun(system, 'netplan', ['apply'])
  return { success: true, changed: true, message: 'DNS updated' }
}

function dropIn(link: string): string {
  return `/etc/netplan/90-osapi-dns-${link}.yaml`
}

/** JSON is YAML, and needs no rules of quoting of our own. */
function netplanText({ interface: link, servers, searchDomains, overrideDhcp }: DnsChange): string {
  const nameservers = {
    ...(servers.length > 0 ? { addresses: servers } : {}),
    ...(searchDomains.length > 0 ? { search: searchDomains } : {}),
  }
  const noDhcp = { 'dhcp4-overrides': { 'use-dns': false }, 'dhcp6-overrides': { 'use-dns': false } }
  const ethernet = { nameservers, ...(overrideDhcp ? noDhcp : {}) }
  const content = { network: { version: 2, ethernets: { [link]: ethernet } } }
  return `# Written by osapi.\n${JSON.stringify(content, null, 2)}\n`
}

/** The output, or undefined where there is no resolvectl or systemd-resolved does not run. */
async function resolvectl(system: System, args: readonly string[]): Promise<string | undefined> {
  const outcome = await tryTool(system, 'resolvectl', args)
  if (outcome === undefined) return undefined
  if (outcome.exitCode === 0) return outcome.stdout
  if (
    /not been booted with systemd|not activatable|connect to bus|not found|unavailable/i.test(outcome.stderr)
  ) {
    return undefined
  }
  throw toolError('resolvectl', outcome)
}

async function mustRun(system: System, command: string, args: readonly string[]): Promise<void> {
  const outcome = await tryTool(system, command, args)
  if (outcome === undefined) throw new UnsupportedError(`no ${command}`)
  if (outcome.exitCode !== 0) throw toolError(command, outcome)
}

/** `Link 2 (eth0): 192.0.2.1 192.0.2.2` */
function linkValues(output: string): readonly string[] {
  const values = output.slice(output.indexOf('):') + 2).trim()
  return values === '' ? [] : values.split(/\s+/)
}

function parseResolvConf(text: string): DnsResult {
  const lines = text.split('\n').map((line) => line.trim().split(/\s+/))
  const servers = lines.flatMap(([key, value]) =>
    key === 'nameserver' && value !== undefined ? [value] : [],
  )
  // The last of these lines is the one that counts.
  const search = lines.findLast(([key]) => key === 'search' || key === 'domain')?.slice(1) ?? []
  return { servers, search_domains: search }
}

async function checkInterface(system: System, link: string): Promise<void> {
  if (!interfacePattern.test(link)) throw new Error(`invalid interface: ${JSON.stringify(link)}`)
  const known = await system.read(`/sys/class/net/${link}/address`).then(
    () => true,
    () => false,
  )
  if (!known) throw new Error(`interface not found: ${link}`)
}

function checkChange({ servers, searchDomains }: DnsChange): void {
  if (servers.length + searchDomains.length === 0) throw new Error('neither servers nor search domains given')
  const server = servers.find((item) => isIP(item) === 0)
  if (server !== undefined)
    throw new Error(`invalid DNS server: ${JSON.stringify(server)} is not an IP address`)
  const domain = searchDomains.find((item) => !domainPattern.test(item))
  if (domain !== undefined) throw new Error(`invalid search domain: ${JSON.stringify(domain)}`)
}

/** An empty list asks for no change. */
function sameList(wanted: readonly string[], present: readonly string[]): boolean {
  return (
    wanted.length === 0 ||
    (wanted.length === present.length && wanted.every((item, i) => item === present[i]))
  )
}
