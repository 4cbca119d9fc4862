import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { formatAge } from '../../age.ts'
import type { CommandResult, DiskResult, HostResult, NodeStatusResult, Results } from '../../api/types.ts'
import { formatBytes, formatCell, formatPercent, stripControls } from './format.ts'
import * as views from './node-views.ts'
import { resultLines } from './results.ts'
import { pairLines, tableLines } from './table.ts'

const jobId = '550e8400-e29b-41d4-a716-446655440000'
const gigabyte = 1024 ** 3

function answer<Row extends HostResult>(...results: Row[]): Results<Row> {
  return { job_id: jobId, results }
}

function screen(lines: readonly string[]): string {
  return `${lines.join('\n')}\n`
}

describe('results', () => {
  it('are a table, a summary and the details of who failed or skipped', () => {
    const lines = resultLines(
      answer<HostResult>(
        { hostname: 'server1', status: 'ok' },
        { hostname: 'server2', status: 'skipped', error: 'unsupported platform' },
      ),
      views.plainView,
    )
    assert.equal(
      screen(lines),
      `
  Job ID: 550e8400-e29b-41d4-a716-446655440000

  HOSTNAME  STATUS
  server1   ok
  server2   skip

  2 hosts: 1 ok, 1 skipped

  Details:
  server2   unsupported platform
`,
    )
  })

  it('count a single host in the singular, and changed and failed apart', () => {
    const one = resultLines(
      answer<HostResult>({ hostname: 'a', status: 'ok', changed: true }),
      views.changedView,
    )
    assert.deepEqual(one.slice(3), [
      '  HOSTNAME  STATUS   CHANGED',
      '  a         changed  true',
      '',
      '  1 host: 1 changed',
    ])
    const many = resultLines(
      answer<HostResult>(
        { hostname: 'a-long-host-name', status: 'ok', changed: false },
        { hostname: 'b', status: 'failed', error: 'no such file' },
        { hostname: 'c', status: 'ok', error: 'partly' },
      ),
      views.changedView,
    )
    assert.equal(
      screen(many.slice(3)),
      `  HOSTNAME          STATUS  CHANGED
  a-long-host-name  ok      false
  b                 err
  c                 err

  3 hosts: 1 ok, 2 failed

  Details:
  b                 no such file
  c                 partly
`,
    )
  })

  it('of disks have a line per mount, yet count hosts', () => {
    const row: DiskResult = {
      hostname: 'web-01',
      status: 'ok',
      disks: [
        { name: '/', total: 97 * gigabyte, used: 56.5 * gigabyte, free: 40 * gigabyte },
        { name: '/boot', total: 512 * 1024 ** 2, used: 128 * 1024 ** 2, free: 384 * 1024 ** 2 },
      ],
    }
    assert.equal(
      screen(resultLines(answer(row), views.diskView).slice(3)),
      `  HOSTNAME  STATUS  MOUNT  TOTAL     USED      USAGE
  web-01    ok      /      97.0 GB   56.5 GB   58%
  web-01    ok      /boot  512.0 MB  128.0 MB  25%

  1 host: 1 ok
`,
    )
  })

  const goldens: readonly [name: string, lines: readonly string[], header: string, row: string][] = [
    [
      'memory',
      resultLines(
        answer({
          hostname: 'h',
          status: 'ok' as const,
          memory: { total: 31 * gigabyte, used: 19 * gigabyte, free: 10 * gigabyte },
        }),
        views.memoryView,
      ),
      '  HOSTNAME  STATUS  TOTAL    USED     FREE     USAGE',
      '  h         ok      31.0 GB  19.0 GB  10.0 GB  61%',
    ],
    [
      'load',
      resultLines(
        answer({
          hostname: 'h',
          status: 'ok' as const,
          load_average: { '1min': 1.829, '5min': 2, '15min': 0.5 },
        }),
        views.loadView,
      ),
      '  HOSTNAME  STATUS  LOAD (1m)  LOAD (5m)  LOAD (15m)',
      '  h         ok      1.83       2.00       0.50',
    ],
    [
      'uptime',
      resultLines(
        answer({ hostname: 'h', status: 'ok' as const, uptime: '64 days, 11 hours, 20 minutes' }),
        views.uptimeView,
      ),
      '  HOSTNAME  STATUS  UPTIME',
      '  h         ok      64 days, 11 hours, 20 minutes',
    ],
    [
      'os',
      resultLines(
        answer({ hostname: 'h', status: 'ok' as const, os_info: { distribution: 'Debian', version: '12' } }),
        views.osView,
      ),
      '  HOSTNAME  STATUS  DISTRIBUTION  VERSION',
      '  h         ok      Debian        12',
    ],
    [
      'dns',
      resultLines(
        answer({ hostname: 'h', status: 'ok' as const, servers: ['1.1.1.1', '::1'], search_domains: [] }),
        views.dnsView,
      ),
      '  HOSTNAME  STATUS  SERVERS       SEARCH DOMAINS',
      '  h         ok      1.1.1.1, ::1  None',
    ],
    [
      'ping',
      resultLines(
        answer({
          hostname: 'h',
          status: 'ok' as const,
          avg_rtt: '19.707031ms',
          min_rtt: '1ms',
          max_rtt: '2s',
          packet_loss: 0,
        }),
        views.pingView,
      ),
      '  HOSTNAME  STATUS  AVG          MIN  MAX  LOSS',
      '  h         ok      19.707031ms  1ms  2s   0.000000',
    ],
    [
      'exec',
      resultLines(
        answer<CommandResult>({
          hostname: 'h',
          status: 'ok',
          changed: true,
          exit_code: 3,
          stdout: 'one\ntwo\u001B[31m\n',
        }),
        views.commandView,
      ),
      '  HOSTNAME  STATUS   EXIT  STDOUT',
      '  h         changed  3     one two',
    ],
  ]
  for (const [name, lines, header, row] of goldens) {
    it(`of ${name} have its columns`, () => assert.deepEqual(lines.slice(3, 5), [header, row]))
  }
})

describe('node status', () => {
  const row: NodeStatusResult = {
    hostname: 'web-01',
    status: 'ok',
    uptime: '2 days',
    os_info: { distribution: 'Ubuntu', version: '24.04' },
    load_average: { '1min': 1.83, '5min': 1.96, '15min': 2.02 },
    memory: { total: 31 * gigabyte, used: 19 * gigabyte, free: 10 * gigabyte },
    disks: [{ name: '/', total: 97 * gigabyte, used: 56 * gigabyte, free: 40 * gigabyte }],
  }

  it('of one host is shown in full', () => {
    assert.equal(
      screen(views.nodeStatusLines(answer(row), false)),
      `
  Job ID: 550e8400-e29b-41d4-a716-446655440000

  Hostname: web-01    OS: Ubuntu 24.04
  Uptime: 2 days
  Load: 1.83, 1.96, 2.02 (1m, 5m, 15m)
  Memory: 19 GB used / 31 GB total / 10 GB free

  Disks:
  DISK NAME  TOTAL  USED   FREE
  /          97 GB  56 GB  40 GB

  1 host: 1 ok
`,
    )
  })

  it('of several hosts, or of a broadcast, is a table', () => {
    const expected = [
      '  HOSTNAME  STATUS  UPTIME  LOAD (1m)  MEM',
      '  web-01    ok      2 days  1.83       19 GB / 31 GB',
    ]
    assert.deepEqual(views.nodeStatusLines(answer(row), true).slice(3, 5), expected)
    assert.deepEqual(views.nodeStatusLines(answer(row, { ...row }), false).slice(3, 5), expected)
  })

  it('names the parts that could not be read', () => {
    const lines = views.nodeStatusLines(answer({ ...row, errors: { disks: 'permission denied' } }), false)
    assert.ok(screen(lines).includes('\n  Not read:\n  disks: permission denied\n'))
  })
})

describe('format', () => {
  it('shows ages in the two largest units', () => {
    const ages = [0, 30, 59, 60, 45 * 60, 3600, 45_000, 86_399, 86_400, 3 * 86_400 + 4 * 3600 + 59].map(
      formatAge,
    )
    assert.deepEqual(ages, ['0s', '30s', '59s', '1m', '45m', '1h 0m', '12h 30m', '23h 59m', '1d 0h', '3d 4h'])
  })

  it('shows bytes by 1024 with one decimal', () => {
    const shown = [0, 1023, 1024, 2048, 1024 ** 2, 15.1 * gigabyte, 1024 ** 4, 5000 * 1024 ** 4].map(
      formatBytes,
    )
    assert.deepEqual(shown, ['0 B', '1023 B', '1.0 KB', '2.0 KB', '1.0 MB', '15.1 GB', '1.0 TB', '5000.0 TB'])
    assert.equal(formatPercent(1, 0), '-')
  })

  it('keeps a cell on one line of at most 79 characters', () => {
    assert.equal(formatCell('a\r\n\tb   c '), 'a b c')
    assert.equal(formatCell('x'.repeat(79)), 'x'.repeat(79))
    assert.equal(formatCell('é'.repeat(80)), `${'é'.repeat(78)}…`)
  })

  it('lets no control sequence of a remote host reach the terminal', () => {
    assert.equal(stripControls('\u001B]0;title\u0007a\u001B[2J\u001B[1;31mb\u009Bc\u0000\u007F\u001B'), 'abc')
    assert.deepEqual(pairLines(['Error', 'a\u001B[31m\nb']), ['  Error: a b'])
  })

  it('pads pairs to columns of at least 20 with a gap of 4', () => {
    assert.deepEqual(pairLines(['A', 1], ['B', 2]), ['  A: 1                B: 2'])
    assert.deepEqual(pairLines(['Job ID', jobId], ['Status', 'created']), [
      `  Job ID: ${jobId}    Status: created`,
    ])
    assert.deepEqual(pairLines(['Gone', undefined]), [])
  })

  it('upper-cases table headers but not units', () => {
    assert.deepEqual(tableLines(['load (1m)'], [[1]]), ['  LOAD (1m)', '  1'])
  })
})
