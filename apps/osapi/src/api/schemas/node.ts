import { disk, labels, loadAverage, memory, osInfo, resultStatus } from './common.ts'
import {
  boolean,
  count,
  input,
  integer,
  type JsonSchema,
  list,
  mapOf,
  object,
  string,
  text,
  uuid,
} from './schema.ts'

function row(fields: Readonly<Record<string, JsonSchema>> = {}): JsonSchema {
  return object({ hostname: string, status: resultStatus, 'changed?': boolean, 'error?': string, ...fields })
}

/** The answer of a domain operation: one row per worker that was asked. */
export function results(item: JsonSchema): JsonSchema {
  return object({ job_id: uuid, results: list(item) })
}

export const hostnameRow: JsonSchema = row({ 'labels?': labels })
export const changeRow: JsonSchema = row({ 'message?': string })
export const diskRow: JsonSchema = row({ 'disks?': list(disk) })
export const memoryRow: JsonSchema = row({ 'memory?': memory })
export const loadRow: JsonSchema = row({ 'load_average?': loadAverage })
export const uptimeRow: JsonSchema = row({ 'uptime?': string, 'uptime_seconds?': { type: 'number' } })
export const osRow: JsonSchema = row({ 'os_info?': osInfo })
export const dnsRow: JsonSchema = row({ 'servers?': list(string), 'search_domains?': list(string) })

export const statusRow: JsonSchema = row({
  'uptime?': string,
  'load_average?': loadAverage,
  'memory?': memory,
  'disks?': list(disk),
  'os_info?': osInfo,
  'errors?': { ...mapOf(string), description: 'Parts that could not be read, and why.' },
})

const roundTrip: JsonSchema = { type: 'string', description: 'A duration, e.g. `19.707031ms`.' }

export const pingRow: JsonSchema = row({
  'packets_sent?': count,
  'packets_received?': count,
  'packet_loss?': { type: 'number', minimum: 0, maximum: 100, description: 'Per cent.' },
  'min_rtt?': roundTrip,
  'avg_rtt?': roundTrip,
  'max_rtt?': roundTrip,
})

export const commandRow: JsonSchema = row({
  'stdout?': string,
  'stderr?': string,
  'exit_code?': { type: 'integer' },
  'duration_ms?': { type: 'number', minimum: 0 },
  'truncated?': boolean,
})

const hostname: JsonSchema = { type: 'string', format: 'hostname', maxLength: 253 }

/** Letters, digits and what interface names are made of besides (`br-lan`, `eth0.100`), or a fact. */
const interfaceName: JsonSchema = {
  type: 'string',
  maxLength: 64,
  pattern: '^(@fact\\.[a-zA-Z0-9_.-]+|[a-zA-Z0-9][a-zA-Z0-9_.-]{0,14})$',
}

/** An IPv4 or IPv6 address, or a fact of the worker. */
const ipOrFact: JsonSchema = { type: 'string', maxLength: 253, format: 'ip-or-fact' }

export const hostnameBody: JsonSchema = input({ hostname })
export const dnsDeleteBody: JsonSchema = input({ interface_name: interfaceName })
export const pingBody: JsonSchema = input({ address: ipOrFact })
export const dnsParams: Readonly<Record<string, JsonSchema>> = { iface: interfaceName }

export const dnsUpdateBody: JsonSchema = {
  ...input({
    interface_name: interfaceName,
    'servers?': list(ipOrFact, { minItems: 1, maxItems: 16 }),
    'search_domains?': list(hostname, { minItems: 1, maxItems: 16 }),
    'override_dhcp?': boolean,
  }),
  anyOf: [{ required: ['servers'] }, { required: ['search_domains'] }],
}

const timeout: JsonSchema = { ...integer(1, 300, 30), description: 'Seconds.' }

export const execBody: JsonSchema = input({
  command: text,
  'args?': list({ type: 'string', maxLength: 65_536 }, { maxItems: 256 }),
  'cwd?': text,
  'timeout?': timeout,
})

export const shellBody: JsonSchema = input({
  command: { type: 'string', minLength: 1, maxLength: 65_536 },
  'cwd?': text,
  'timeout?': timeout,
})
