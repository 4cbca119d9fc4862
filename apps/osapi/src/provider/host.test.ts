import assert from 'node:assert/strict'
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { hostname, tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { evaluateConditions } from '../agent/conditions.ts'
import { loadConfig } from '../config/index.ts'
import { execCommand } from './command.ts'
import { collectFacts, resolveFactReferences } from './facts.ts'
import { createProviders, hostSystem, UnsupportedError } from './index.ts'
import { readMemory, readOs, uptimeText } from './node.ts'
import { runCommand } from './run-command.ts'

const providers = createProviders(hostSystem(), { group: 'web' })
const run = (category: string, operation: string, data?: unknown) =>
  providers.handler(category, operation).run(data) as Promise<Record<string, unknown>>

describe('a real Linux host', () => {
  it('tells its name, with the labels of its worker', async () => {
    assert.deepEqual(await run('node', 'hostname.get'), {
      hostname: hostname(),
      labels: { group: 'web' },
      changed: false,
    })
  })

  it('tells memory that adds up, load, uptime and disks', async () => {
    const { memory } = (await run('node', 'memory.get')) as { memory: Record<string, number> }
    assert.equal(memory['used'], (memory['total'] ?? 0) - (memory['available'] ?? 0))
    assert.ok((memory['used'] ?? 0) > 0)
    const { disks } = (await run('node', 'disk.get')) as { disks: { name: string; total: number }[] }
    assert.ok(disks.some(({ name, total }) => name === '/' && total > 0))
    const status = await run('node', 'status.get')
    assert.deepEqual(
      ['hostname', 'os_info', 'uptime', 'disks', 'memory', 'load_average', 'errors'].map(
        (key) => key in status,
      ),
      [true, true, true, true, true, true, false],
    )
  })
})

describe('another host', () => {
  it('is skipped where /proc is not there, and its status names what is missing', async () => {
    const root = await mkdtemp(join(tmpdir(), 'osapi-host-'))
    const bare = createProviders(hostSystem(root))
    await assert.rejects(bare.handler('node', 'load.get').run(undefined), UnsupportedError)
    const status = (await bare.handler('node', 'status.get').run(undefined)) as { errors: object }
    assert.deepEqual(Object.keys(status.errors).toSorted(), [
      'disks',
      'load_average',
      'memory',
      'os_info',
      'uptime',
    ])
    await mkdir(join(root, 'proc'))
    await mkdir(join(root, 'etc'))
    await writeFile(
      join(root, 'proc/meminfo'),
      'MemTotal: 100 kB\nMemFree: 10 kB\nBuffers: 5 kB\nCached: 15 kB\n',
    )
    await writeFile(join(root, 'etc/os-release'), 'NAME="Debian GNU/Linux"\nID=debian\nVERSION_ID="12"\n')
    const memory = await readMemory(hostSystem(root))
    assert.deepEqual([memory.available, memory.used], [30 * 1024, 70 * 1024])
    assert.deepEqual(await readOs(hostSystem(root)), { distribution: 'debian', version: '12' })
    await rm(root, { recursive: true })
  })

  it('words its uptime', () => {
    assert.equal(uptimeText(64 * 86_400 + 11 * 3600 + 20 * 60), '64 days, 11 hours, 20 minutes')
    assert.equal(uptimeText(86_400 + 3600 + 60), '1 day, 1 hour, 1 minute')
  })
})

describe('commands', () => {
  it('run with arguments, folder and exit code', async () => {
    const data = { command: 'sh', args: ['-c', 'pwd; echo "$0" >&2; exit 7', 'a b'], cwd: '/' }
    const { stdout, stderr, exit_code } = await run('command', 'exec.execute', data)
    assert.deepEqual({ stdout, stderr, exit_code }, { stdout: '/\n', stderr: 'a b\n', exit_code: 7 })
    assert.equal((await run('command', 'shell.execute', { command: 'kill -9 $$' }))['exit_code'], 137)
  })

  it('fail when they cannot start', async () => {
    await assert.rejects(run('command', 'exec.execute', { command: '/no/such' }), {
      message: 'command not found: /no/such',
    })
    await assert.rejects(run('command', 'exec.execute', { command: 'ls', cwd: '/no/such' }), {
      message: 'cwd is no directory: /no/such',
    })
    await assert.rejects(run('command', 'exec.execute', { command: '/etc' }), {
      message: 'permission denied: /etc',
    })
    await assert.rejects(run('command', 'exec.execute', {}), /missing field: command/)
    await assert.rejects(run('command', 'exec.execute', { command: 'ls', args: 'x' }), /not a list of texts/)
    const system = hostSystem()
    const late = { command: 'ls', args: [], cwd: '', timeoutSeconds: 301 }
    await assert.rejects(execCommand(system, late), /allowed: 1 to 300/)
  })

  it('are killed with their children when their time is up', async () => {
    const dir = await mkdtemp(join(tmpdir(), 'osapi-kill-'))
    const file = join(dir, 'pid')
    const command = `sleep 60 & echo $! > ${file}; wait`
    await assert.rejects(
      run('command', 'shell.execute', { command, timeout: 1 }),
      /command timed out after 1s/,
    )
    const pid = (await readFile(file, 'utf8')).trim()
    const isAlive = async () => {
      const stat = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => '')
      return stat !== '' && !stat.includes(') Z ')
    }
    while (await isAlive()) await new Promise(setImmediate)
    await rm(dir, { recursive: true })
  })

  it('keep a bounded output, and a daemon that holds the pipes does not hold them up', async () => {
    const flood = await runCommand({
      command: 'sh',
      args: ['-c', 'yes | head -c 5000; (sleep 30 &) ; exit 0'],
      timeoutMs: 10_000,
      outputBytesMax: 100,
    })
    assert.equal(flood.stdout.length, 100)
    assert.equal(flood.truncated, true)
    assert.ok(flood.durationMs < 5_000)
  })
})

describe('facts', () => {
  it('replace references in every string, however deep', async () => {
    const facts = await collectFacts(hostSystem(), { rack: 'r7' })
    const data = { a: ['x @fact.hostname y', 1, { b: '@fact.custom.rack' }], c: null }
    assert.deepEqual(resolveFactReferences(data, facts), {
      a: [`x ${hostname()} y`, 1, { b: 'r7' }],
      c: null,
    })
    assert.throws(
      () => resolveFactReferences('@fact.custom.none', facts),
      /failed to resolve fact references/,
    )
    assert.throws(() => resolveFactReferences('@fact.interfaces', facts), /unknown fact "@fact.interfaces"/)
  })
})

const { conditions: thresholds } = loadConfig({}).config.agent
const gib = 1024 ** 3
const measured = (used: number, load: number, disk: number) => ({
  memory: { total: 100 * gib, free: 0, used: used * gib, available: (100 - used) * gib, cached: 0 },
  load: { '1min': load, '5min': 0, '15min': 0 },
  disks: [{ name: '/', total: 100, used: disk, free: 100 - disk }],
  cpuCount: 2,
})
const states = (...of: [number, number, number]) =>
  evaluateConditions(thresholds, measured(...of)).map(({ status }) => status)
const at = (text: string) => () => new Date(text)

describe('conditions', () => {
  it('hold above their thresholds only', () => {
    assert.deepEqual(states(90, 4, 90), [false, false, false])
    assert.deepEqual(states(91, 4.1, 91), [true, true, true])
  })

  it('say why, and since when', () => {
    const first = evaluateConditions(thresholds, measured(94, 4.12, 0), [], at('2026-01-01T00:00:00Z'))
    assert.deepEqual(
      first.map(({ reason }) => reason),
      ['memory 94% used (94.0/100.0 GB)', 'load 4.12, threshold 4.00 for 2 CPUs', ''],
    )
    const second = evaluateConditions(thresholds, measured(95, 1, 0), first, at('2026-01-02T00:00:00Z'))
    assert.deepEqual(
      second.map((condition) => condition.last_transition_time),
      ['2026-01-01T00:00:00Z', '2026-01-02T00:00:00Z', '2026-01-01T00:00:00Z'],
    )
  })
})
