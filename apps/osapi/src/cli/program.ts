import { type ClientCommand, clientRun } from './client-session.ts'
import type { Streams } from './streams.ts'
import { type FlagSpec, type Group, parseList, parseNumber, rootGroup, type Run } from './tree.ts'

const globalFlags: readonly FlagSpec[] = [
  { flags: '-d, --debug', description: 'log at level debug and put trace ids into logs', configKey: 'debug' },
  { flags: '-j, --json', description: 'data and logs as JSON' },
  { flags: '-f, --osapi-file <path>', description: 'configuration file', fallback: '/etc/osapi/osapi.yaml' },
]

/** The whole command tree; `finish` gets the exit code of the command that ran. */
export function buildProgram(streams: Streams, finish: (code: number) => void): Group {
  const root = rootGroup('osapi', {
    description: 'Query and change Linux hosts, through an API server, NATS and workers.',
    shared: globalFlags,
    finish,
  })
  root.command.configureOutput({ writeOut: streams.out, writeErr: streams.err })
  root.leaf('version', { description: 'version, as JSON' }, async () => {
    const { showVersion } = await import('./commands/version.ts')
    return showVersion(streams)
  })
  addProcesses(root, streams)
  addTokens(root, streams)
  addClient(root, streams)
  return root
}

function addProcesses(root: Group, streams: Streams): void {
  const start = (name: 'all' | 'nats' | 'api' | 'worker'): Run => {
    return async (invocation) => {
      const { startProcess } = await import('./commands/process.ts')
      return await startProcess(name, { invocation, streams })
    }
  }
  const apiFlags: FlagSpec[] = [
    { flags: '-p, --port <port>', description: 'port of the API', parse: parseNumber, configKey: 'controller.api.port' },
  ]
  root.leaf('start', { description: 'NATS, API server and worker in one process' }, start('all'))
  const nats = root.group('nats', 'NATS').group('server', 'the NATS server')
  nats.leaf('start', { description: 'start a NATS server with JetStream' }, start('nats'))
  const api = { description: 'start the API server', flags: apiFlags }
  root.group('api', 'the API').group('server', 'the API server').leaf('start', api, start('api'))
  root.group('controller', 'the API server').leaf('start', api, start('api'))
  const worker = { description: 'start the worker of this host', flags: workerFlags() }
  root.group('job', 'jobs').group('worker', 'the worker').leaf('start', worker, start('worker'))
  root.group('node', 'this host').group('agent', 'the worker').leaf('start', worker, start('worker'))
  root.group('agent', 'the worker').leaf('start', worker, start('worker'))
}

function workerFlags(): FlagSpec[] {
  const settings: [name: string, value: string, description: string, configKey: string][] = [
    ['host', 'host', 'host of the NATS server', 'agent.nats.host'],
    ['port', 'port', 'port of the NATS server', 'agent.nats.port'],
    ['client-name', 'name', 'name of the NATS connection', 'agent.nats.client_name'],
    ['queue-group', 'name', 'name of the work queue', 'agent.queue_group'],
    ['hostname', 'name', 'name of this worker; default: of the machine', 'agent.hostname'],
    ['max-jobs', 'count', 'jobs at once', 'agent.max_jobs'],
  ]
  const named = ['worker', 'agent'].flatMap((prefix) =>
    settings.map(([name, value, description, configKey]) => ({
      flags: `--${prefix}-${name} <${value}>`,
      description,
      configKey,
    })),
  )
  return [
    ...named,
    consumerFlag('max-deliver', 'count', 'deliveries of one job'),
    consumerFlag('ack-wait', 'duration', 'wait for a sign of life of a job'),
    consumerFlag('max-ack-pending', 'count', 'jobs under way'),
    consumerFlag('replay-policy', 'policy', 'instant or original'),
    { ...consumerFlag('back-off', 'durations', 'waits between deliveries, e.g. 30s,2m'), parse: parseList },
  ]
}

function consumerFlag(name: string, value: string, description: string): FlagSpec {
  const configKey = `agent.consumer.${name.replaceAll('-', '_')}`
  return { flags: `--consumer-${name} <${value}>`, description, configKey }
}

function addTokens(root: Group, streams: Streams): void {
  const run = (name: 'generate' | 'validate'): Run => {
    return async (invocation) => {
      const [{ runTraced }, token] = await Promise.all([import('./traced-run.ts'), import('./commands/token.ts')])
      return await runTraced({ invocation, streams, needs: token.tokenNeeds }, token[name])
    }
  }
  root
    .group('token', 'tokens for the API')
    .leaf(
      'generate',
      {
        description: 'make a token',
        flags: [
          { flags: '-r, --roles <names>', description: 'roles, e.g. read,write', isRequired: true, parse: parseList },
          { flags: '-u, --subject <name>', description: 'whom the token is for', isRequired: true },
          { flags: '-p, --permissions <names>', description: 'permissions instead of those of the roles', parse: parseList },
        ],
      },
      run('generate'),
    )
    .leaf(
      'validate',
      {
        description: 'check a token and show what it allows',
        flags: [{ flags: '-t, --token <token>', description: 'the token', isRequired: true }],
      },
      run('validate'),
    )
}

function addClient(root: Group, streams: Streams): void {
  const client = root.group('client', 'commands for the API', [
    {
      flags: '--url <url>',
      description: 'address of the API; default: controller.client.url of the configuration',
      configKey: 'controller.client.url',
    },
  ])
  addNode(client, streams)
  addJob(client, streams)
  addSystem(client, streams)
}

function addNode(client: Group, streams: Streams): void {
  const node = client.group('node', 'hosts', [
    {
      flags: '-T, --target <target>',
      description: '_any, _all, a hostname, or a label key:value',
      fallback: '_any',
    },
  ])
  const run = (name: keyof typeof import('./commands/node.ts') & NodeCommandName): Run =>
    clientRun(streams, async () => (await import('./commands/node.ts'))[name])
  node
    .group('hostname', 'the name of the host')
    .leaf('get', { description: 'show it', isDefault: true }, run('hostname'))
    .leaf(
      'update',
      { description: 'change it', flags: [{ flags: '--name <name>', description: 'new name', isRequired: true }] },
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
    node.group(name, description).leaf('get', { description: `show ${description}`, isDefault: true }, run(name))
  }
  addNetwork(node, run)
  addCommand(node, streams)
}

type NodeCommandName = Exclude<keyof typeof import('./commands/node.ts'), 'isBroadcast'>

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
  const run = (name: keyof typeof import('./commands/job.ts')): Run =>
    clientRun(streams, async () => (await import('./commands/job.ts'))[name])
  const jobId = { flags: '--job-id <id>', description: 'the job', isRequired: true }
  const file = { flags: '--json-file <path>', description: 'file with the operation as JSON', isRequired: true }
  const target = { flags: '--target-hostname <target>', description: '_any, _all, a hostname, or a label key:value' }
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
          { flags: '-t, --timeout <seconds>', description: 'how long to wait', fallback: 60, parse: parseNumber },
          { flags: '-p, --poll-interval <seconds>', description: 'between two looks', fallback: 2, parse: parseNumber },
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
    .leaf('retry', { description: 'run a job again', flags: [jobId, { ...target, fallback: '_any' }] }, run('retry'))
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

function addSystem(client: Group, streams: Streams): void {
  const run = (load: (module: typeof import('./commands/system.ts')) => ClientCommand): Run =>
    clientRun(streams, async () => load(await import('./commands/system.ts')))
  const hostname = { flags: '--hostname <name>', description: 'hostname or machine id', isRequired: true }
  client
    .group('agent', 'workers')
    .leaf('list', { description: 'list them', flags: [{ flags: '--pending', description: 'only those that wait to be accepted' }] }, run((system) => system.agentList))
    .leaf('get', { description: 'show one', flags: [hostname] }, run((system) => system.agentGet))
    .leaf('drain', { description: 'give it no more jobs', flags: [hostname] }, run((system) => system.agentDrain))
    .leaf('undrain', { description: 'give it jobs again', flags: [hostname] }, run((system) => system.agentUndrain))
  client
    .group('health', 'health of the API server')
    .leaf('liveness', { description: 'does it answer', isDefault: true }, run((system) => system.healthLiveness))
    .leaf('ready', { description: 'can it work', }, run((system) => system.healthReady))
    .leaf('status', { description: 'the state of all parts' }, run((system) => system.healthStatus))
  client
    .group('audit', 'who did what')
    .leaf('list', { description: 'newest entries', flags: pageFlags(20) }, run((system) => system.auditList))
    .leaf(
      'get',
      { description: 'one entry', flags: [{ flags: '--audit-id <id>', description: 'the entry', isRequired: true }] },
      run((system) => system.auditGet),
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
      run((system) => system.auditExport),
    )
  client.leaf('metrics', { description: 'metrics as Prometheus text' }, run((system) => system.metrics))
}

function pageFlags(limit: number): FlagSpec[] {
  return [
    { flags: '--limit <count>', description: '1 to 100', fallback: limit, parse: parseNumber },
    { flags: '--offset <count>', description: 'how many to leave out', fallback: 0, parse: parseNumber },
  ]
}
