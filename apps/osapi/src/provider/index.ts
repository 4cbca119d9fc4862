import type { NodeStatusResult } from '../job/results.ts'
import { execCommand, shellCommand } from './command.ts'
import { deleteDns, getDns, updateDns } from './dns.ts'
import { updateHostname } from './hostname.ts'
import { Input } from './input.ts'
import {
  readDisks,
  readHostname,
  readLoad,
  readMemory,
  readOs,
  readUptimeSeconds,
  uptimeText,
} from './node.ts'
import { ping } from './ping.ts'
import type { System } from './system.ts'

export { hostSystem, type System, UnsupportedError } from './system.ts'

/** One operation of a provider. */
export interface Handler {
  /** `host.GetHostname`: provider and method, in spans and debug lines. */
  readonly name: string
  /** Resolves with the response's data. Rejects with UnsupportedError where this host cannot do it. */
  run(data: unknown): Promise<unknown>
}

export interface Providers {
  /** Throws `unsupported job category: X` or `unsupported node operation: X`. */
  handler(category: string, operation: string): Handler
}

/** The providers of a Linux host. `labels` go with the host's name. */
export function createProviders(system: System, labels: Readonly<Record<string, string>> = {}): Providers {
  const categories = new Map(
    Object.entries({
      node: nodeHandlers(system, labels),
      network: networkHandlers(system),
      command: commandHandlers(system),
    }),
  )
  return {
    handler(category, operation) {
      const handlers = categories.get(category)
      if (handlers === undefined) throw new Error(`unsupported job category: ${category}`)
      const found = handlers.get(operation)
      if (found === undefined) throw new Error(`unsupported ${category} operation: ${operation}`)
      return { name: found[0], run: (data) => found[1](new Input(data)) }
    },
  }
}

type Handlers = ReadonlyMap<string, readonly [name: string, run: (input: Input) => Promise<unknown>]>

function nodeHandlers(system: System, labels: Readonly<Record<string, string>>): Handlers {
  return new Map(
    Object.entries({
      'hostname.get': [
        'host.GetHostname',
        async () => ({ hostname: await readHostname(system), ...labelsOf(labels), changed: false }),
      ],
      'hostname.update': [
        'host.UpdateHostname',
        async (input: Input) => updateHostname(system, input.text('hostname')),
      ],
      'status.get': ['node.GetStatus', () => nodeStatus(system)],
      'uptime.get': [
        'host.GetUptime',
        async () => {
          const uptime = await readUptimeSeconds(system)
          return { uptime_seconds: uptime, uptime: uptimeText(uptime), changed: false }
        },
      ],
      'os.get': ['host.GetOSInfo', async () => ({ os_info: await readOs(system) })],
      'disk.get': ['disk.GetUsage', async () => ({ disks: await readDisks(system) })],
      'memory.get': ['mem.GetStats', async () => ({ memory: await readMemory(system) })],
      'load.get': ['load.GetAverages', async () => ({ load_average: await readLoad(system) })],
    } as const satisfies Record<string, readonly [string, (input: Input) => Promise<unknown>]>),
  )
}

function networkHandlers(system: System): Handlers {
  return new Map(
    Object.entries({
      'dns.get': ['dns.GetResolvConfByInterface', async (input: Input) => getDns(system, linkOf(input))],
      'dns.update': [
        'dns.UpdateResolvConfByInterface',
        async (input: Input) =>
          updateDns(system, {
            interface: linkOf(input),
            servers: input.texts('servers'),
            searchDomains: input.texts('search_domains'),
            overrideDhcp: input.flag('override_dhcp'),
          }),
      ],
      'dns.delete': [
        'dns.DeleteResolvConfByInterface',
        async (input: Input) => deleteDns(system, linkOf(input)),
      ],
      'ping.do': ['ping.Do', async (input: Input) => ping(system, input.text('address'))],
    } as const satisfies Record<string, readonly [string, (input: Input) => Promise<unknown>]>),
  )
}

function linkOf(input: Input): string {
  return input.optionalText('interface') || 'eth0'
}

function commandHandlers(system: System): Handlers {
  return new Map(
    Object.entries({
      'exec.execute': [
        'command.Exec',
        async (input: Input) => execCommand(system, { ...commandInput(input), args: input.texts('args') }),
      ],
      'shell.execute': ['command.Shell', async (input: Input) => shellCommand(system, commandInput(input))],
    } as const satisfies Record<string, readonly [string, (input: Input) => Promise<unknown>]>),
  )
}

function commandInput(input: Input) {
  return {
    command: input.text('command'),
    cwd: input.optionalText('cwd'),
    timeoutSeconds: input.number('timeout'),
  }
}

function labelsOf(labels: Readonly<Record<string, string>>) {
  return Object.keys(labels).length === 0 ? {} : { labels }
}

/** Whatever can be read; the parts that cannot are named with their errors. */
async function nodeStatus(system: System): Promise<NodeStatusResult> {
  const errors: Record<string, string> = {}
  const part = async <K extends string, T>(key: K, read: () => Promise<T>): Promise<{ [P in K]?: T }> => {
    try {
      return { [key]: await read() } as { [P in K]?: T }
    } catch (error) {
      errors[key] = error instanceof Error ? error.message : String(error)
      return {}
    }
  }
  const parts = await Promise.all([
    part('hostname', () => readHostname(system)),
    part('os_info', () => readOs(system)),
    part('uptime', async () => uptimeText(await readUptimeSeconds(system))),
    part('disks', () => readDisks(system)),
    part('memory', () => readMemory(system)),
    part('load_average', () => readLoad(system)),
  ])
  const status: Omit<NodeStatusResult, 'changed'> = Object.assign({}, ...parts)
  return { ...status, ...(Object.keys(errors).length > 0 ? { errors } : {}), changed: false }
}
