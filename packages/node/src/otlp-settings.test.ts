import assert from 'node:assert/strict'
import { test } from 'node:test'
import { namesEndpoint, otlpSettings } from './otlp-settings.ts'

test('nobody names an endpoint: this machine, on the port of the protocol', () => {
  const env = { OTEL_EXPORTER_OTLP_HEADERS: 'a=1' }
  assert.equal(namesEndpoint('traces', { protocol: 'grpc' }, env), false)
  assert.equal(otlpSettings('traces', {}, env).endpoint, 'http://localhost:4318/v1/traces')
  assert.equal(otlpSettings('traces', { protocol: 'grpc' }, env).endpoint, 'localhost:4317')
})

test('an endpoint is named in code or by either variable', () => {
  assert.ok(namesEndpoint('traces', { endpoint: 'http://x' }, {}))
  for (const key of ['OTEL_EXPORTER_OTLP_ENDPOINT', 'OTEL_EXPORTER_OTLP_TRACES_ENDPOINT'])
    assert.ok(namesEndpoint('traces', {}, { [key]: 'http://x' }))
})

test('a general endpoint is a base, the signal’s own is the whole URL, and code beats both', () => {
  const general = { OTEL_EXPORTER_OTLP_ENDPOINT: 'http://collector:4318/otlp/' }
  assert.equal(otlpSettings('traces', {}, general).endpoint, 'http://collector:4318/otlp/v1/traces')
  const own = { ...general, OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: 'http://tempo:4318/custom' }
  assert.equal(otlpSettings('traces', {}, own).endpoint, 'http://tempo:4318/custom')
  assert.equal(otlpSettings('traces', { endpoint: 'http://code:1' }, own).endpoint, 'http://code:1/v1/traces')
  assert.equal(
    otlpSettings('traces', { endpoint: 'http://code:1/v1/traces' }, own).endpoint,
    'http://code:1/v1/traces',
  )
})

test('gRPC takes host:port and URLs as they are; http/protobuf makes a URL of either', () => {
  assert.equal(
    otlpSettings('traces', { endpoint: 'localhost:4317', protocol: 'grpc' }, {}).endpoint,
    'localhost:4317',
  )
  const byVariable = {
    OTEL_EXPORTER_OTLP_PROTOCOL: 'grpc',
    OTEL_EXPORTER_OTLP_ENDPOINT: 'https://tempo:4317',
  }
  assert.deepEqual(otlpSettings('traces', {}, byVariable), {
    endpoint: 'https://tempo:4317',
    protocol: 'grpc',
    headers: {},
  })
  assert.equal(
    otlpSettings('traces', { endpoint: 'localhost:4318' }, {}).endpoint,
    'http://localhost:4318/v1/traces',
  )
})

test('endpoints that are no http URL are refused by name', () => {
  for (const text of ['ftp://x', 'http://', 'http://x:99999', 'not a url'])
    assert.throws(
      () => otlpSettings('traces', {}, { OTEL_EXPORTER_OTLP_ENDPOINT: text }),
      /^TracingConfigError: OTEL_EXPORTER_OTLP_ENDPOINT: /,
    )
  assert.throws(
    () => otlpSettings('traces', { endpoint: 'ftp://x' }, {}),
    /option otlpEndpoint: "ftp:\/\/x" is not valid/,
  )
})

test('headers of the environment and of code are joined, code wins', () => {
  const env = { OTEL_EXPORTER_OTLP_ENDPOINT: 'http://x', OTEL_EXPORTER_OTLP_HEADERS: 'api-key=env,tenant=a' }
  assert.deepEqual(otlpSettings('traces', { headers: { 'api-key': 'code' } }, env).headers, {
    'api-key': 'code',
    tenant: 'a',
  })
})

test('a certificate that cannot be read stops the start and names the variable and the file', () => {
  const env = {
    OTEL_EXPORTER_OTLP_ENDPOINT: 'https://x',
    OTEL_EXPORTER_OTLP_CERTIFICATE: '/nonexistent/ca.pem',
  }
  assert.throws(
    () => otlpSettings('traces', {}, env),
    /OTEL_EXPORTER_OTLP_CERTIFICATE: "\/nonexistent\/ca\.pem".*PEM file \(ENOENT/,
  )
})
