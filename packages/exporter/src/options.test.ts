import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { describe, it } from 'node:test'
import { type OtlpExporterOptions, resolveOptions } from './options.ts'

const base: OtlpExporterOptions = {
  endpoint: 'http://collector:4318',
  protocol: 'http/protobuf',
  resource: {},
  clock: { originUnixNano: 0n },
}

describe('exporter options', () => {
  it('names the package and its version to the collector', () => {
    const { version } = JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8'))
    const { headers } = resolveOptions(base).worker
    assert.equal(headers['user-agent'], `throughline-otlp-exporter/${version} node/${process.versions.node}`)
  })

  it('names the option, the value and what is allowed', () => {
    assert.equal(messageOf({}), 'taken')
    assert.equal(
      messageOf({ protocol: 'http/xml' }),
      'protocol "http/xml" must be one of: grpc, http/protobuf, http/json',
    )
    assert.equal(messageOf({ compression: 'zstd' }), 'compression "zstd" must be one of: none, gzip')
    assert.equal(messageOf({ timeoutMs: 0 }), 'timeoutMs 0 must be a whole number from 1 to 99999999')
    assert.equal(messageOf({ timeoutMs: 1 }), 'taken')
    assert.equal(messageOf({ timeoutMs: 99_999_999 }), 'taken')
    assert.match(messageOf({ timeoutMs: 100_000_000 }), /^timeoutMs/)
    assert.match(messageOf({ scheduleDelayMs: 0.5 }), /^scheduleDelayMs 0.5/)
    assert.match(messageOf({ queueBytesMax: Number.NaN }), /^queueBytesMax NaN/)
    assert.match(messageOf({ retry: { initialDelayMs: -1 } }), /^retry.initialDelayMs -1/)
    assert.equal(
      messageOf({ headers: { 'Content-Type': 'x' } }),
      'headers: "Content-Type" is set by the exporter itself',
    )
    assert.equal(messageOf({ headers: { 'a b': 'x' } }), 'headers: "a b" is no header name')
  })

  it('takes headers in any case and does not show the value of a wrong one', () => {
    assert.equal(resolveOptions({ ...base, headers: { 'X-API-Key': 'k' } }).worker.headers['x-api-key'], 'k')
    assert.throws(() => resolveOptions({ ...base, headers: { key: 'secret\r\n' } }), {
      message: 'headers: the value of "key" has characters that no header may have',
    })
  })
})

describe('exporter options for TLS and credentials', () => {
  it('contradictions are named, and nothing of a key is shown', () => {
    const key = '-----BEGIN PRIVATE KEY-----secret'
    assert.equal(
      messageOf({ endpoint: 'https://x', tls: { key } }),
      'tls.key is given without tls.cert; allowed: both, or neither',
    )
    assert.equal(
      messageOf({ endpoint: 'https://x', tls: { cert: '/a' } }),
      'tls.cert is given without tls.key; allowed: both, or neither',
    )
    assert.equal(
      messageOf({ endpoint: 'http://u:p@x:1', tls: { ca: '/a' } }),
      'endpoint "http://x:1/v1/traces" is plaintext, but tls has ca: write https://… or leave them out',
    )
    assert.equal(
      messageOf({ endpoint: 'unix:///s', tls: { ca: '/a' } }),
      'endpoint "unix:///s" is plaintext, but tls has ca: write https://… or leave them out',
    )
    assert.match(
      messageOf({ endpoint: 'https://x', tls: { ca: ' ' } }),
      /^tls\.ca is empty; allowed: a PEM text/,
    )
    assert.equal(messageOf({ endpoint: 'unix:s' }), 'endpoint "unix:s" must be unix:///absolute/path')
  })

  it('gRPC without a scheme is plain, unless TLS options or insecure say otherwise', () => {
    assert.equal(grpcUrl({}), 'http://x:1/')
    assert.equal(grpcUrl({ tls: { ca: '/a' } }), 'https://x:1/')
    assert.equal(grpcUrl({ insecure: false }), 'https://x:1/')
    assert.equal(grpcUrl({ insecure: true, endpoint: 'https://x:1' }), 'https://x:1/', 'a scheme says it')
  })

  it('a user and a password in the URL become a header that can be replaced', () => {
    const endpoint = 'https://me:a%3Ab@x'
    const { worker } = resolveOptions({ ...base, endpoint })
    assert.equal(worker.url, 'https://x/v1/traces')
    assert.equal(worker.headers['authorization'], `Basic ${Buffer.from('me:a:b').toString('base64')}`)
    const own = resolveOptions({ ...base, endpoint, headers: { Authorization: 'mine' } })
    assert.equal(own.worker.headers['authorization'], 'mine')
  })
})

function grpcUrl(more: object): string {
  return resolveOptions({ ...base, protocol: 'grpc', endpoint: 'x:1', ...more }).worker.url
}

function messageOf(changes: object): string {
  try {
    resolveOptions({ ...base, ...changes })
    return 'taken'
  } catch (error) {
    return error instanceof Error ? error.message : ''
  }
}
