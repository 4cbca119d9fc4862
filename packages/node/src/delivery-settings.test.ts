import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { TracingConfigError } from './config-error.ts'
import { deliverySettings } from './delivery-settings.ts'

const refused = (message: RegExp) => (error: unknown) =>
  error instanceof TracingConfigError && message.test(error.message)

describe('deliverySettings', () => {
  it('says nothing where nothing is said', () => {
    assert.deepEqual(deliverySettings({}, {}), {})
  })

  it('reads all of it from the environment', () => {
    const env = {
      THROUGHLINE_SPOOL_DIR: '/var/spool/traces',
      THROUGHLINE_SPOOL_MODE: 'Always',
      THROUGHLINE_SPOOL_BYTES_MAX: '2097152',
      THROUGHLINE_SPOOL_AGE_MS_MAX: '60000',
      THROUGHLINE_EXIT_TIMEOUT_MS: '0',
      THROUGHLINE_ABRUPT_EXIT_TIMEOUT_MS: '200',
      THROUGHLINE_EXIT_SIGNALS: 'SIGTERM, sigint',
      THROUGHLINE_QUEUE_BYTES_MAX: '1048576',
      THROUGHLINE_QUEUE_FULL: 'drop-oldest',
    }
    assert.deepEqual(deliverySettings({}, env), {
      spool: { dir: '/var/spool/traces', mode: 'always', bytesMax: 2_097_152, ageMsMax: 60_000 },
      exitTimeoutMs: 0,
      abruptExitTimeoutMs: 200,
      signals: ['SIGTERM', 'SIGINT'],
      queueBytesMax: 1_048_576,
      queueFull: 'drop-oldest',
    })
  })

  it('code beats the environment, value by value', () => {
    const env = {
      THROUGHLINE_SPOOL_DIR: '/a',
      THROUGHLINE_SPOOL_MODE: 'always',
      THROUGHLINE_EXIT_SIGNALS: 'none',
    }
    assert.deepEqual(deliverySettings({ spool: { dir: '/b' } }, env), {
      spool: { dir: '/b', mode: 'always' },
      signals: [],
    })
    assert.deepEqual(deliverySettings({ spool: { mode: 'on-failure' }, exitSignals: ['SIGTERM'] }, env), {
      spool: { dir: '/a', mode: 'on-failure' },
      signals: ['SIGTERM'],
    })
    assert.deepEqual(deliverySettings({ spool: false }, { THROUGHLINE_SPOOL_DIR: '/a' }), {})
  })

  it('names key, value and what is allowed', () => {
    const cases: [Record<string, string>, RegExp][] = [
      [
        { THROUGHLINE_SPOOL_MODE: 'sometimes', THROUGHLINE_SPOOL_DIR: '/a' },
        /SPOOL_MODE.*sometimes.*off, on-failure, always/,
      ],
      [{ THROUGHLINE_SPOOL_BYTES_MAX: '1k', THROUGHLINE_SPOOL_DIR: '/a' }, /SPOOL_BYTES_MAX.*1k.*1048576/],
      [{ THROUGHLINE_QUEUE_FULL: 'block' }, /QUEUE_FULL.*block.*drop-newest, drop-oldest/],
      [{ THROUGHLINE_EXIT_SIGNALS: 'SIGTERM,SIGKILL' }, /EXIT_SIGNALS.*SIGKILL.*none, SIGTERM/],
      [{ THROUGHLINE_EXIT_TIMEOUT_MS: '-1' }, /EXIT_TIMEOUT_MS.*-1.*0/],
    ]
    for (const [env, message] of cases) assert.throws(() => deliverySettings({}, env), refused(message))
    assert.throws(
      () => deliverySettings({ spool: { mode: 'always' } }, {}),
      refused(/spool\.dir.*THROUGHLINE_SPOOL_DIR/),
    )
  })
})
