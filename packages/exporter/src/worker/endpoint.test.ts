import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { grpcEndpointUrl, httpEndpointUrl, signalUrlFromBase, withoutCredentials } from './endpoint.ts'
import { ExporterError } from './exporter-error.ts'

const isOptionError = (error: unknown): boolean =>
  error instanceof ExporterError && error.code === 'invalid_option'

describe('endpoints', () => {
  it('an HTTP endpoint without a path gets /v1/traces, one with a path is used as it is', () => {
    assert.equal(httpEndpointUrl('http://collector:4318', 'traces'), 'http://collector:4318/v1/traces')
    assert.equal(httpEndpointUrl('http://collector:4318/', 'traces'), 'http://collector:4318/v1/traces')
    assert.equal(httpEndpointUrl('https://collector/otlp/traces', 'traces'), 'https://collector/otlp/traces')
    assert.equal(httpEndpointUrl('localhost:4318', 'traces'), 'http://localhost:4318/v1/traces')
    assert.equal(httpEndpointUrl('http://[::1]:4318', 'traces'), 'http://[::1]:4318/v1/traces')
  })

  it('a base endpoint keeps its own path', () => {
    assert.equal(signalUrlFromBase('http://collector:4318', 'traces'), 'http://collector:4318/v1/traces')
    assert.equal(signalUrlFromBase('http://collector/otlp', 'traces'), 'http://collector/otlp/v1/traces')
    assert.equal(signalUrlFromBase('http://collector/otlp/', 'traces'), 'http://collector/otlp/v1/traces')
  })

  it('each signal has a path of its own', () => {
    assert.equal(httpEndpointUrl('http://collector:4318', 'logs'), 'http://collector:4318/v1/logs')
    assert.equal(signalUrlFromBase('http://collector/otlp', 'logs'), 'http://collector/otlp/v1/logs')
  })

  it('a gRPC endpoint is host and port, plain unless it says https or TLS options are given', () => {
    const plain = { isTls: false }
    assert.equal(grpcEndpointUrl('localhost:4317', plain), 'http://localhost:4317/')
    assert.equal(grpcEndpointUrl('collector', plain), 'http://collector:4317/')
    assert.equal(grpcEndpointUrl('http://collector:80', plain), 'http://collector/')
    assert.equal(grpcEndpointUrl('http://collector', plain), 'http://collector:4317/')
    assert.equal(grpcEndpointUrl('https://collector:443', plain), 'https://collector/')
    assert.equal(grpcEndpointUrl('https://collector', plain), 'https://collector:4317/')
    assert.equal(grpcEndpointUrl('collector:4317', { isTls: true }), 'https://collector:4317/')
    assert.equal(grpcEndpointUrl('[::1]', plain), 'http://[::1]:4317/')
  })

  it('says what is wrong with an endpoint', () => {
    for (const endpoint of ['', ' ', 'ftp://collector', 'http://', 'collector:port', 'http://a b'])
      assert.throws(() => httpEndpointUrl(endpoint, 'traces'), isOptionError, endpoint)
    assert.throws(() => grpcEndpointUrl('http://collector:4317/v1/traces', { isTls: false }), {
      code: 'invalid_option',
      message:
        'endpoint "http://collector:4317/v1/traces": a gRPC endpoint has no path; write collector:4317',
    })
  })

  it('never shows credentials', () => {
    assert.equal(withoutCredentials(new URL('http://user:secret@collector:4318/')), 'http://collector:4318/')
  })
})
