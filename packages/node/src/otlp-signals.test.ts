import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { logsExporterOf } from './logs.ts'
import { namesEndpoint, type OtlpOptions, otlpSettings } from './otlp-settings.ts'

const pem = '-----BEGIN CERTIFICATE-----\nx\n-----END CERTIFICATE-----\n'
let folder = ''
let files: Record<'ca' | 'cert' | 'key' | 'garbage', string>
before(() => {
  folder = mkdtempSync(join(tmpdir(), 'throughline-settings-'))
  files = {
    ca: join(folder, 'ca.pem'),
    cert: join(folder, 'cert.pem'),
    key: join(folder, 'key.pem'),
    garbage: join(folder, 'garbage.pem'),
  }
  for (const [name, path] of Object.entries(files)) writeFileSync(path, name === 'garbage' ? 'x' : pem)
})
after(() => rmSync(folder, { recursive: true }))

const prefix = 'OTEL_EXPORTER_OTLP_'

const headersVariable = (text: string): Record<string, string> => ({ [`${prefix}HEADERS`]: text })

describe('every setting, for each signal', () => {
  it('the signal`s own variable beats the general one, and code beats both', () => {
    const cases: [string, string, string, keyof OtlpOptions, unknown, unknown, unknown][] = [
      ['PROTOCOL', 'grpc', 'http/json', 'protocol', 'grpc', 'http/json', 'http/protobuf'],
      ['COMPRESSION', 'none', 'gzip', 'compression', 'none', 'gzip', 'none'],
      ['TIMEOUT', '1', '2000', 'timeoutMs', 1, 2000, 3],
      ['INSECURE', 'true', 'False', 'insecure', true, false, true],
      ['HEADERS', 'a=1', 'b=2', 'headers', { a: '1' }, { b: '2' }, { b: '3' }],
    ]
    for (const [name, general, own, key, fromGeneral, fromOwn, fromCode] of cases)
      for (const signal of ['traces', 'logs'] as const) {
        const ownKey = `${prefix}${signal.toUpperCase()}_${name}`
        const env = { [`${prefix}${name}`]: general }
        assert.deepEqual(otlpSettings(signal, {}, env)[key], fromGeneral, name)
        assert.deepEqual(otlpSettings(signal, {}, { ...env, [ownKey]: own })[key], fromOwn, ownKey)
        assert.deepEqual(
          otlpSettings(signal, {}, { ...env, [ownKey]: ' ' })[key],
          fromGeneral,
          'blank is unset',
        )
        assert.deepEqual(
          otlpSettings(signal, { [key]: fromCode }, { ...env, [ownKey]: own })[key],
          fromCode,
          'code',
        )
      }
  })

  it('the other signal`s variable counts for nothing', () => {
    const env = { [`${prefix}LOGS_ENDPOINT`]: 'http://logs', [`${prefix}LOGS_PROTOCOL`]: 'grpc' }
    assert.equal(namesEndpoint('traces', {}, env), false)
    assert.equal(namesEndpoint('logs', {}, env), true)
    assert.equal(otlpSettings('traces', {}, env).protocol, 'http/protobuf')
  })

  it('a base gets the path of the signal, also where it was written with the other`s', () => {
    const env = { [`${prefix}ENDPOINT`]: 'http://collector/otlp/' }
    assert.equal(otlpSettings('logs', {}, env).endpoint, 'http://collector/otlp/v1/logs')
    assert.equal(otlpSettings('logs', { endpoint: 'http://x/v1/traces' }, {}).endpoint, 'http://x/v1/logs')
    assert.equal(otlpSettings('logs', {}, {}).endpoint, 'http://localhost:4318/v1/logs')
    assert.equal(
      otlpSettings('logs', {}, { [`${prefix}LOGS_ENDPOINT`]: 'http://x/own' }).endpoint,
      'http://x/own',
    )
    assert.equal(
      otlpSettings('logs', { endpoint: 'unix:///run/otel.sock' }, {}).endpoint,
      'unix:///run/otel.sock',
    )
  })

  it('header values are percent-decoded, and a wrong one is not shown', () => {
    assert.deepEqual(
      otlpSettings('traces', {}, headersVariable('authorization=Bearer%20a%3Db , x-scope = a=b')).headers,
      {
        authorization: 'Bearer a=b',
        'x-scope': 'a=b',
      },
    )
    for (const text of ['secret', 'a=%zzsecret', '=secret'])
      assert.throws(
        () => otlpSettings('traces', {}, headersVariable(text)),
        (error: Error) => error.message.startsWith(`${prefix}HEADERS: `) && !error.message.includes('secret'),
      )
  })

  it('a headers file is a name only: the export thread reads it', () => {
    const env = {
      THROUGHLINE_OTLP_HEADERS_FILE: '/run/all',
      THROUGHLINE_OTLP_LOGS_HEADERS_FILE: '/run/logs',
    }
    assert.equal(otlpSettings('traces', {}, env).headersFile, '/run/all')
    assert.equal(otlpSettings('logs', {}, env).headersFile, '/run/logs')
    assert.equal(otlpSettings('logs', { headersFile: '/code' }, env).headersFile, '/code')
  })

  it('certificates are PEM texts in code, or files', () => {
    const env = {
      [`${prefix}ENDPOINT`]: 'https://x',
      [`${prefix}CERTIFICATE`]: files.ca,
      [`${prefix}CLIENT_CERTIFICATE`]: files.ca,
      [`${prefix}LOGS_CLIENT_CERTIFICATE`]: files.cert,
      [`${prefix}CLIENT_KEY`]: files.key,
    }
    assert.deepEqual(otlpSettings('logs', {}, env).tls, { ca: files.ca, cert: files.cert, key: files.key })
    assert.deepEqual(otlpSettings('logs', { tls: { ca: pem } }, env).tls, {
      ca: pem,
      cert: files.cert,
      key: files.key,
    })
  })
})

describe('what contradicts itself stops the start, with the key, the value and what is allowed', () => {
  const refusals: [string, () => object, Partial<OtlpOptions>, string][] = [
    [
      'a client certificate without its key',
      () => ({ ENDPOINT: 'https://x', CLIENT_CERTIFICATE: files.cert }),
      {},
      'OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE: "{cert}" is not valid; allowed: a client certificate together with its client key only',
    ],
    [
      'a key without its certificate',
      () => ({ ENDPOINT: 'https://x', TRACES_CLIENT_KEY: files.key }),
      {},
      'OTEL_EXPORTER_OTLP_TRACES_CLIENT_KEY: "{key}" is not valid; allowed: a client key together with its client certificate only',
    ],
    [
      'TLS files for a plaintext endpoint',
      () => ({ ENDPOINT: 'http://user:pw@x:4318', CERTIFICATE: files.ca }),
      {},
      'OTEL_EXPORTER_OTLP_CERTIFICATE: "{ca}" is not valid; allowed: nothing, as long as the endpoint http://x:4318/v1/traces is plaintext; begin it with https://',
    ],
    [
      'TLS and insecure for gRPC without a scheme',
      () => ({ ENDPOINT: 'x:4317', PROTOCOL: 'grpc', CERTIFICATE: files.ca, INSECURE: 'true' }),
      {},
      'OTEL_EXPORTER_OTLP_CERTIFICATE: "{ca}" is not valid; allowed: nothing, as long as the endpoint x:4317 is plaintext; begin it with https://',
    ],
    [
      'a file that is no PEM',
      () => ({ ENDPOINT: 'https://x', CERTIFICATE: files.garbage }),
      {},
      'OTEL_EXPORTER_OTLP_CERTIFICATE: "{garbage}" is not valid; allowed: the path of a readable PEM file (it holds no PEM text)',
    ],
    [
      'a key in code without its certificate, which is not shown',
      () => ({}),
      { endpoint: 'https://x', tls: { key: '-----BEGIN PRIVATE KEY-----secret' } },
      'option otlpTls.key: "(a PEM text)" is not valid; allowed: a client key together with its client certificate only',
    ],
    [
      'a boolean that is none',
      () => ({ INSECURE: 'yes' }),
      {},
      'OTEL_EXPORTER_OTLP_INSECURE: "yes" is not valid; allowed: true, false',
    ],
    [
      'no time at all',
      () => ({ TIMEOUT: '0' }),
      {},
      'OTEL_EXPORTER_OTLP_TIMEOUT: "0" is not valid; allowed: a whole number of at least 1',
    ],
    [
      'an unknown protocol',
      () => ({ PROTOCOL: 'http/xml' }),
      {},
      'OTEL_EXPORTER_OTLP_PROTOCOL: "http/xml" is not valid; allowed: grpc, http/protobuf, http/json',
    ],
  ]
  for (const [what, variables, options, message] of refusals)
    it(what, () => {
      const env = Object.fromEntries(
        Object.entries(variables()).map(([name, value]) => [prefix + name, value]),
      ) as Record<string, string>
      const expected = message.replace(/\{(\w+)\}/, (_match, name: 'ca') => files[name])
      assert.throws(() => otlpSettings('traces', options, env), {
        name: 'TracingConfigError',
        message: expected,
      })
    })

  it('but gRPC without a scheme takes TLS files', () => {
    const env = { [`${prefix}PROTOCOL`]: 'grpc', [`${prefix}CERTIFICATE`]: files.ca }
    assert.deepEqual(otlpSettings('traces', { endpoint: 'x:4317' }, env).tls, { ca: files.ca })
  })
})

describe('where log records go', () => {
  it('code, then OTEL_LOGS_EXPORTER, then by OTLP where an endpoint is named', () => {
    assert.equal(logsExporterOf({}, {}, false), 'none')
    assert.equal(logsExporterOf({}, {}, true), 'otlp')
    assert.equal(logsExporterOf({}, { OTEL_LOGS_EXPORTER: 'none' }, true), 'none')
    assert.equal(logsExporterOf({}, { OTEL_LOGS_EXPORTER: 'otlp' }, false), 'otlp')
    assert.equal(logsExporterOf({ logsExporter: 'otlp' }, { OTEL_LOGS_EXPORTER: 'none' }, false), 'otlp')
  })

  it('a program that says in code where spans go says it for both, unless it says more', () => {
    assert.equal(logsExporterOf({ exporter: 'none' }, {}, true), 'none')
    assert.equal(logsExporterOf({ exporter: 'stdout' }, {}, true), 'none')
    assert.equal(logsExporterOf({ exporter: 'otlp' }, {}, true), 'otlp')
    assert.equal(logsExporterOf({ exporter: 'none', logsExporter: 'otlp' }, {}, true), 'otlp')
  })

  it('an unknown name is refused', () => {
    assert.throws(() => logsExporterOf({}, { OTEL_LOGS_EXPORTER: 'console' }, true), {
      message: 'OTEL_LOGS_EXPORTER: "console" is not valid; allowed: none, otlp',
    })
  })
})
