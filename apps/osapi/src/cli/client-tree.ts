import type { ClientCommand } from './client-session.ts'
import type * as jobCommands from './commands/job.ts'
import type * as nodeCommands from './commands/node.ts'
import type * as systemCommands from './commands/system.ts'
import type { Streams } from './streams.ts'
import { type FlagSpec, type Group, parseList, parseNumber, type Run } from './tree.ts'

/** A command's modules are loaded only when it runs: the tree alone must be cheap. */
function clientRun(streams: Streams, load: () => Promise<ClientCommand>): Run {
  return async (invocation) => {
    const [{ runClient }, command] = await Promise.all([import('./client-session.ts'), load()])
    return await runClient({ invocation, streams }, command)
  }
}

/** `osapi client` and all below it. */
export function addClient(root: Group, streams: Streams): void {
  const client = root.group('client', 'commands for the API', [
    {
      flags: '--url <url>',
      description: 'address of the API; default: controller.client.url of the configuration',
      configKey: 'controller.client.url',
    },
  ])
  addNode(client, streams)
  addJob(client, streams)
  addAgents(client, streams)
  addHealthAndAudit(client, streams)
}

function addNode(client: Group, streams: Streams): void {
  const node = client.group('node', 'hosts', [
    {
      flags: '-T, --target <target>',
      description: '_any, _all, a hostname, or a label key:value',
      fallback: '_any',
    },
  ])
  const run = (name: NodeCommandName): Run =>
    clientRun(streams, async () => (await import('./commands/node.ts'))[name])
  node
    .group('hostname', 'the name of the host')
    .leaf('get', { description: 'show it', isDefault: true }, run('hostname'))
    .leaf(
      'update',
      {
        description: 'change it',
        flags: [{ flags: '--name <name>', description: 'new name', isRequired: true }],
      },
      run('updateHostname'),
    )
  node.leaf('status', { description: 'load, memory, disks and system of the host' }, run('status'))
  for (const [name, description] of [
    ['disk', 'disk usage'],
    ['memory', 'memory usage'],
    ['load', 'load averages'],
    ['uptime', 'time since the start'],
    ['os', 'operating system'],
  ] as const) {
    node
      .group(name, description)
      .leaf('get', { description: `show ${description}`, isDefault: true }, run(name))
  }
  addNetwork(node, run)
  addCommand(node, streams)
}

type NodeCommandName = keyof typeof nodeCommands

function addNetwork(node: Group, run: (name: NodeCommandName) => Run): void {
  const network = node.group('network', 'network of the host')
  const interfaceFlag: FlagSpec = {
    flags: '--interface-name <name>',
    description: 'network interface',
    isRequired: true,
  }
  network
    .group('dns', 'name servers')
    .leaf('get', { description: 'show them', flags: [interfaceFlag] }, run('dns'))
    .leaf(
      'update',
      {
        description: 'change them',
        flags: [
          interfaceFlag,
          { flags: '--servers <addresses>', description: 'name servers', parse: parseList },
          { flags: '--search-domains <names>', description: 'search domains', parse: parseList },
          { flags: '--override-dhcp', description: 'use only these, not those of DHCP' },
        ],
      },
      run('updateDns'),
    )
    .leaf('delete', { description: 'remove what was set', flags: [interfaceFlag] }, run('deleteDns'))
  const address = { flags: '--address <ip>', description: 'address to reach', isRequired: true }
  network.leaf('ping', { description: 'ping an address', flags: [address] }, run('ping'))
}

function addCommand(node: Group, streams: Streams): void {
  const shared: FlagSpec[] = [
    { flags: '--cwd <directory>', description: 'where to run it' },
    { flags: '--timeout <seconds>', description: '1 to 300', fallback: 30, parse: parseNumber },
    { flags: '--stdout', description: 'print what it wrote to stdout, and nothing else' },
    { flags: '--stderr', description: 'print what it wrote to stderr, and nothing else' },
  ]
  const run = (name: 'exec' | 'shell'): Run =>
    clientRun(streams, async () => (await import('./commands/command.ts'))[name])
  const command = { flags: '--command <command>', description: 'what to run', isRequired: true }
  const args = { flags: '--args <list>', description: 'its arguments, e.g. -l,/tmp', parse: parseList }
  node
    .group('command', 'commands on the host')
    .leaf('exec', { description: 'run a program', flags: [command, args, ...shared] }, run('exec'))
    .leaf('shell', { description: 'run a line in /bin/sh', flags: [command, ...shared] }, run('shell'))
}

function addJob(client: Group, streams: Streams): void {
  const run = (name: keyof typeof jobCommands): Run =>
    clientRun(streams, async () => (await import('./commands/job.ts'))[name])
  const jobId = { flags: '--job-id <id>', description: 'the job', isRequired: true }
  const file = {
    flags: '--json-file <path>',
    description: 'file with the operation as JSON',
    isRequired: true,
  }
  const target = {
    flags: '--target-hostname <target>',
    description: '_any, _all, a hostname, or a label key:value',
  }
  client
    .group('job', 'jobs')
    .leaf('add', { description: 'add a job', flags: [file, { ...target, isRequired: true }] }, run('add'))
    .leaf(
      'run',
      {
        description: 'add a job and wait for it',
        flags: [
          file,
          { ...target, fallback: '_any' },
          {
            flags: '-t, --timeout <seconds>',
            description: 'how long to wait',
            fallback: 60,
            parse: parseNumber,
          },
          {
            flags: '-p, --poll-interval <seconds>',
            description: 'between two looks',
            fallback: 2,
            parse: parseNumber,
          },
        ],
      },
      run('run'),
    )
    .leaf(
      'list',
      {
        description: 'list jobs',
        flags: [{ flags: '--status <status>', description: 'only these' }, ...pageFlags(10)],
      },
      run('list'),
    )
    .leaf('get', { description: 'show a job', flags: [jobId] }, run('get'))
    .leaf('delete', { description: 'delete a job', flags: [jobId] }, run('remove'))
    .leaf(
      'retry',
      { description: 'run a job again', flags: [jobId, { ...target, fallback: '_any' }] },
      run('retry'),
    )
    .leaf(
      'status',
      {
        description: 'watch the counts of jobs',
        flags: [
          {
            flags: '--poll-interval-seconds <seconds>',
            description: 'between two looks',
            fallback: 30,
            parse: parseNumber,
          },
        ],
      },
      run('status'),
    )
}

function systemRun(streams: Streams): (name: keyof typeof systemCommands) => Run {
  return (name) => clientRun(streams, async () => (await import('./commands/system.ts'))[name])
}

function addAgents(client: Group, streams: Streams): void {
  const run = systemRun(streams)
  const hostname = { flags: '--hostname <name>', description: 'hostname or machine id', isRequired: true }
  client
    .group('agent', 'workers')
    .leaf(
      'list',
      {
        description: 'list them',
        flags: [{ flags: '--pending', description: 'only those that wait to be accepted' }],
      },
      run('agentList'),
    )
    .leaf('get', { description: 'show one', flags: [hostname] }, run('agentGet'))
    .leaf('drain', { description: 'give it no more jobs', flags: [hostname] }, run('agentDrain'))
    .leaf('undrain', { description: 'give it jobs again', flags: [hostname] }, run('agentUndrain'))
}

function addHealthAndAudit(client: Group, streams: Streams): void {
  const run = systemRun(streams)
  client
    .group('health', 'health of the API server')
    .leaf('liveness', { description: 'does it answer', isDefault: true }, run('healthLiveness'))
    .leaf('ready', { description: 'can it work' }, run('healthReady'))
    .leaf('status', { description: 'the state of all parts' }, run('healthStatus'))
  client
    .group('audit', 'who did what')
    .leaf('list', { description: 'newest entries', flags: pageFlags(20) }, run('auditList'))
    .leaf(
      'get',
      {
        description: 'one entry',
        flags: [{ flags: '--audit-id <id>', description: 'the entry', isRequired: true }],
      },
      run('auditGet'),
    )
    .leaf(
      'export',
      {
        description: 'all entries, one JSON object a line',
        flags: [
          { flags: '--output <file>', description: 'where to', isRequired: true },
          { flags: '--type <type>', description: 'file', fallback: 'file' },
        ],
      },
      run('auditExport'),
    )
  client.leaf('metrics', { description: 'metrics as Prometheus text' }, run('metrics'))
}

function pageFlags(limit: number): FlagSpec[] {
  return [
    { flags: '--limit <count>', description: '1 to 100', fallback: limit, parse: parseNumber },
    { flags: '--offset <count>', description: 'how many to leave out', fallback: 0, parse: parseNumber },
  ]
}
