import { addClient } from './client-tree.ts'
import type { Streams } from './streams.ts'
import { type FlagSpec, type Group, parseList, parseNumber, type Run, rootGroup } from './tree.ts'

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
    {
      flags: '-p, --port <port>',
      description: 'port of the API',
      parse: parseNumber,
      configKey: 'controller.api.port',
    },
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
      const [{ runTraced }, token] = await Promise.all([
        import('./traced-run.ts'),
        import('./commands/token.ts'),
      ])
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
          {
            flags: '-r, --roles <names>',
            description: 'roles, e.g. read,write',
            isRequired: true,
            parse: parseList,
          },
          { flags: '-u, --subject <name>', description: 'whom the token is for', isRequired: true },
          {
            flags: '-p, --permissions <names>',
            description: 'permissions instead of those of the roles',
            parse: parseList,
          },
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
