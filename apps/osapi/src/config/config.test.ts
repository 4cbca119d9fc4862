import assert from 'node:assert/strict'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { formatGoDuration, parseDuration } from './duration.ts'
import { ConfigError, loadConfig, requireKeys } from './index.ts'

let dir: string
before(async () => {
  dir = await mkdtemp(join(tmpdir(), 'osapi-config-'))
})
after(() => rm(dir, { recursive: true }))

async function fromFile(yaml: string) {
  const file = join(dir, 'osapi.yaml')
  await writeFile(file, yaml)
  return loadConfig({ file })
}

const messageOf = (flags: Record<string, unknown>) => {
  try {
    loadConfig({ flags })
  } catch (error) {
    assert.ok(error instanceof ConfigError)
    return error.message
  }
  return 'accepted'
}

const about = (key: string, value: unknown) => messageOf({ [key]: value })
const code = (expected: string) => (error: unknown) => error instanceof ConfigError && error.code === expected

describe('configuration', () => {
  it('has a default for every key', () => {
    const { config, warnings } = loadConfig({})
    assert.deepEqual(warnings, [])
    assert.equal(config.controller.api.port, 8080)
    assert.equal(config.controller.api.job_timeout, 30_000)
    assert.deepEqual(config.agent.consumer.back_off, [30_000, 120_000, 300_000, 900_000, 1_800_000])
    assert.equal(config.nats.dlq.max_age, 7 * 24 * 3_600_000)
    assert.deepEqual(config.telemetry.tracing, {
      enabled: false,
      exporter: '',
      otlp_endpoint: '',
      otlp_protocol: 'grpc',
      otlp_headers: {},
      otlp_headers_file: '',
      otlp_insecure: true,
      otlp_certificate: '',
      otlp_client_certificate: '',
      otlp_client_key: '',
      otlp_logs: false,
      spool_dir: '',
    })
  })

  it('reads flags before environment before file before defaults', async () => {
    const file = join(dir, 'order.yaml')
    await writeFile(file, 'controller: { api: { port: 1001 }, nats: { port: 1002 } }\nagent: { max_jobs: 3 }')
    const env = {
      OSAPI_CONTROLLER_API_PORT: '2001',
      OSAPI_CONTROLLER_NATS_PORT: '2002',
      OSAPI_AGENT_HOSTNAME: '',
    }
    const { config } = loadConfig({
      file,
      env,
      flags: { 'controller.api.port': '3001', 'agent.max_jobs': undefined },
    })
    assert.equal(config.controller.api.port, 3001)
    assert.equal(config.controller.nats.port, 2002)
    assert.equal(config.agent.max_jobs, 3)
    assert.equal(config.nats.server.port, 4222)
  })

  it('takes the earlier spellings, and the documented one where a file has both', async () => {
    const { config } = await fromFile(`
api:
  client: { url: "http://old", security: { bearer_token: t } }
  server: { port: 9, security: { signing_key: k }, nats: { namespace: n } }
job: { worker: { hostname: w, max_jobs: 4 } }
agent: { max_jobs: 5 }
nats: { dlq: { max_age: 7d } }`)
    assert.equal(config.controller.client.url, 'http://old')
    assert.equal(config.controller.client.security.bearer_token, 't')
    assert.equal(config.controller.api.port, 9)
    assert.equal(config.controller.api.security.signing_key, 'k')
    assert.equal(config.controller.nats.namespace, 'n')
    assert.equal(config.agent.hostname, 'w')
    assert.equal(config.agent.max_jobs, 5)
    assert.equal(loadConfig({ env: { OSAPI_NODE_AGENT_MAX_JOBS: '6' } }).config.agent.max_jobs, 6)
  })

  it('takes the old telemetry keys with a warning, and warns of unknown keys', async () => {
    const { config, warnings } = await fromFile(
      'telemetry: { enabled: true, otlp_endpoint: "h:1" }\nagent: { moon: 1 }',
    )
    assert.equal(config.telemetry.tracing.enabled, true)
    assert.equal(config.telemetry.tracing.otlp_endpoint, 'h:1')
    assert.deepEqual(warnings, [
      'configuration key telemetry.enabled is old: use telemetry.tracing.enabled',
      'configuration key telemetry.otlp_endpoint is old: use telemetry.tracing.otlp_endpoint',
      'unknown configuration key agent.moon',
    ])
  })

  it('turns tracing on with debug, and no exporter', () => {
    const { tracing } = loadConfig({ flags: { debug: true } }).config.telemetry
    assert.equal(tracing.enabled, true)
    assert.equal(tracing.exporter, '')
  })

  it('names key, value and what is allowed', () => {
    assert.equal(
      about('agent.nats.port', 0),
      'invalid config: agent.nats.port: 0; allowed: an integer from 1 to 65535',
    )
    assert.equal(about('agent.nats.port', 1), 'accepted')
    assert.equal(about('agent.nats.port', '65535'), 'accepted')
    assert.match(about('agent.nats.port', 65_536), /65536; allowed/)
    assert.match(about('agent.nats.port', 'x'), /"x"; allowed/)
    assert.match(about('nats.kv.ttl', '1x'), /nats\.kv\.ttl: "1x"; allowed: a duration such as/)
    assert.match(about('nats.kv.storage', 'moon'), /"moon"; allowed: one of file, memory/)
    assert.match(about('telemetry.tracing.enabled', 'maybe'), /"maybe"; allowed: true or false/)
    assert.match(about('agent.labels', 'a=1,b=2,c=3,d=4,e=5,f=6'), /6 labels; allowed: 5 at most/)
    assert.equal(about('agent.labels', 'a=1,b=2,c=3,d=4,e=web.dev-1'), 'accepted')
    assert.match(about('agent.labels', 'a=web..dev'), /agent\.labels\.a: "web\.\.dev"; allowed: letters/)
    assert.match(about('controller', 'x'), /controller: "x"; allowed/)
  })

  it('needs the file that was named, and the keys that a command asks for', async () => {
    assert.throws(() => loadConfig({ file: join(dir, 'none.yaml') }), code('unreadable'))
    await assert.rejects(fromFile('a: ['), /failed to read config/)
    await assert.rejects(fromFile('- a'), /not a map of keys/)
    const key = 'controller.api.security.signing_key'
    assert.throws(() => requireKeys(loadConfig({}).config, [key]), code('missing'))
    requireKeys(loadConfig({ flags: { [key]: 'k' } }).config, [key])
    assert.equal((await fromFile('')).config.agent.max_jobs, 10)
  })
})

describe('durations', () => {
  it('are Go’s, and days', () => {
    const cases = {
      '0': 0,
      '1ms': 1,
      '1.5s': 1500,
      '1h30m': 5_400_000,
      '7d': 604_800_000,
      '168h': 604_800_000,
    }
    for (const [text, ms] of Object.entries(cases)) assert.equal(parseDuration(text), ms, text)
    for (const text of ['', '5', '-1s', '1 s', 's', '1s ', '1w'])
      assert.equal(parseDuration(text), undefined, text)
  })

  it('are written as Go does', () => {
    const cases: readonly (readonly [number, string])[] = [
      [0, '0s'],
      [950, '950ns'],
      [1500, '1.5µs'],
      [19_707_031, '19.707031ms'],
      [1_500_000_000, '1.5s'],
      [60_500_000_000, '1m0.5s'],
      [3_600_000_000_000, '1h0m0s'],
    ]
    for (const [nanoseconds, text] of cases) assert.equal(formatGoDuration(nanoseconds), text)
  })
})
