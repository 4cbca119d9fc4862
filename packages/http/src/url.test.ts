import assert from 'node:assert/strict'
import { test } from 'node:test'
import { isExcluded, normalizeExcludedPaths } from './excluded-paths.ts'
import { redactedKeys, redactQuery, redactUrl, splitHost } from './url.ts'

const keys = redactedKeys(['Session'])

test('secrets in a query are replaced, whatever their case and encoding; the rest is kept as it is', () => {
  const cases: [string, string][] = [
    ['', ''],
    ['a=1&b=2', 'a=1&b=2'],
    ['token=abc', 'token=REDACTED'],
    ['a=1&TOKEN=abc&b=2', 'a=1&TOKEN=REDACTED&b=2'],
    ['%74oken=abc', '%74oken=REDACTED'],
    ['sig=x&sig=y', 'sig=REDACTED&sig=REDACTED'],
    ['session=1;2', 'session=REDACTED'],
    ['token', 'token'],
    ['token=', 'token=REDACTED'],
    ['tokens=1&mytoken=2', 'tokens=1&mytoken=2'],
    ['%=1&%zz=2&=3&&', '%=1&%zz=2&=3&&'],
    ['a=token=1', 'a=token=1'],
    [
      'X-Amz-Signature=s&X-Goog-Signature=t&AWSAccessKeyId=u',
      'X-Amz-Signature=REDACTED&X-Goog-Signature=REDACTED&AWSAccessKeyId=REDACTED',
    ],
  ]
  for (const [query, redacted] of cases) assert.equal(redactQuery(query, keys), redacted)
})

test('credentials in a URL are replaced, an @ elsewhere is not', () => {
  const cases: [string, string][] = [
    ['http://a.example/x?token=1', 'http://a.example/x?token=REDACTED'],
    ['http://user:pass@a.example/x', 'http://REDACTED:REDACTED@a.example/x'],
    ['http://user@a.example', 'http://REDACTED:REDACTED@a.example'],
    ['http://us@er:p@ss@a.example/', 'http://REDACTED:REDACTED@a.example/'],
    ['http://a.example/@user', 'http://a.example/@user'],
    ['http://a.example?mail=a@b', 'http://a.example?mail=a@b'],
  ]
  for (const [url, redacted] of cases) assert.equal(redactUrl(url, keys), redacted)
})

test('a Host header is split into name and port', () => {
  const cases: [string, string, number | undefined][] = [
    ['a', 'a', undefined],
    ['a:80', 'a', 80],
    ['[::1]', '::1', undefined],
    ['[::1]:65535', '::1', 65_535],
    ['a:65536', 'a', undefined],
    ['a:0', 'a', undefined],
    ['a:x', 'a', undefined],
    ['', '', undefined],
  ]
  for (const [text, host, port] of cases) assert.deepEqual(splitHost(text), { host, port })
})

test('excluded paths end at a segment', () => {
  const paths = normalizeExcludedPaths(['/health', '/static/'])
  for (const url of ['/health', '/health/', '/health/live', '/health?x', '/static', '/static/a']) {
    assert.equal(isExcluded(url, paths), true, url)
  }
  for (const url of ['/', '/healthy', '/healthz', '/a/health', '/statics', '']) {
    assert.equal(isExcluded(url, paths), false, url)
  }
})
