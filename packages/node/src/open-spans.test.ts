import assert from 'node:assert/strict'
import { test } from 'node:test'
import { TracingConfigError } from './config-error.ts'
import { openSpanSettings } from './open-spans.ts'

type Settings = ReturnType<typeof openSpanSettings>
const shown = (settings: Settings): unknown => settings && [settings.afterMs, settings.export]

test('open spans are watched where there is a spool, unless somebody says otherwise', () => {
  const on = { env: {}, hasSpool: true }
  const off = { env: {}, hasSpool: false }
  assert.deepEqual(shown(openSpanSettings(undefined, on)), [undefined, false])
  assert.equal(openSpanSettings(undefined, off), undefined)
  assert.equal(openSpanSettings(false, on), undefined)
  assert.deepEqual(shown(openSpanSettings(true, off)), [undefined, false])
  assert.deepEqual(shown(openSpanSettings({ afterMs: 5, export: true }, off)), [5, true])
})

const of = (text: string, hasSpool: boolean) => ({
  env: { THROUGHLINE_OPEN_SPANS: text, THROUGHLINE_OPEN_SPANS_AFTER_MS: '7' },
  hasSpool,
})

test('by the environment, which code beats', () => {
  assert.equal(openSpanSettings(undefined, of('off', true)), undefined)
  assert.deepEqual(shown(openSpanSettings(undefined, of('on', false))), [7, false])
  assert.deepEqual(shown(openSpanSettings(undefined, of('Export', false))), [7, true])
  assert.deepEqual(shown(openSpanSettings({ afterMs: 5, export: false }, of('export', false))), [5, false])
  assert.deepEqual(shown(openSpanSettings({}, of('export', false))), [7, true])
  assert.equal(openSpanSettings(false, of('export', true)), undefined)
})

const refused = (key: string) => (error: unknown) =>
  error instanceof TracingConfigError && error.message.includes(key)

test('what cannot be is refused by name', () => {
  const env = { THROUGHLINE_OPEN_SPANS: 'maybe' }
  assert.throws(() => openSpanSettings(undefined, { env, hasSpool: true }), refused('THROUGHLINE_OPEN_SPANS'))
  const none = { env: {}, hasSpool: false }
  for (const openSpansMax of [0, 1.5, 1_000_001])
    assert.throws(() => openSpanSettings({ openSpansMax }, none), refused('openSpans.openSpansMax'))
})
