import assert from 'node:assert/strict'
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, it } from 'node:test'
import { deleteDns, getDns, updateDns } from './dns.ts'
import { updateHostname } from './hostname.ts'
import { parsePing, ping } from './ping.ts'
import { hostSystem, type System, UnsupportedError } from './system.ts'

/** Answers of tools by their command line; a tool without any answer is not installed. */
type Tools = Readonly<
  Record<string, { readonly stdout?: string; readonly stderr?: string; readonly exitCode?: number }>
>

let root: string
let calls: string[]
beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'osapi-host-'))
  calls = []
  for (const folder of ['etc/netplan', 'proc/sys/kernel', 'sys/class/net/eth0']) {
    await mkdir(join(root, folder), { recursive: true })
  }
  await writeFile(join(root, 'sys/class/net/eth0/address'), '00:00\n')
  await writeFile(join(root, 'proc/sys/kernel/hostname'), 'old\n')
})
afterEach(() => rm(root, { recursive: true }))

function host(tools: Tools): System {
  return hostSystem(root, async ({ command, args = [] }) => {
    const line = [command, ...args].join(' ')
    const installed = Object.keys(tools).some((known) => known.split(' ')[0] === command)
    if (!installed) throw Object.assign(new Error(`spawn ${command} ENOENT`), { code: 'ENOENT' })
    calls.push(line)
    const { stdout = '', stderr = '', exitCode = 0 } = tools[line] ?? tools[command] ?? {}
    return { stdout, stderr, exitCode, durationMs: 1, truncated: false }
  })
}

const resolved: Tools = {
  'resolvectl dns eth0': { stdout: 'Link 2 (eth0): 192.0.2.1 2001:db8::1\n' },
  'resolvectl domain eth0': { stdout: 'Link 2 (eth0):\n' },
  resolvectl: {},
}
const change = {
  interface: 'eth0',
  servers: ['192.0.2.9'],
  searchDomains: ['example.com'],
  overrideDhcp: true,
}

describe('DNS', () => {
  it('is read from systemd-resolved, else from resolv.conf, else unsupported', async () => {
    assert.deepEqual(await getDns(host(resolved), 'eth0'), {
      servers: ['192.0.2.1', '2001:db8::1'],
      search_domains: [],
    })
    await assert.rejects(getDns(host({}), 'eth0'), UnsupportedError)
    await writeFile(join(root, 'etc/resolv.conf'), '# x\nnameserver 192.0.2.3\nsearch a.example b.example\n')
    const expected = { servers: ['192.0.2.3'], search_domains: ['a.example', 'b.example'] }
    assert.deepEqual(await getDns(host({}), 'eth0'), expected)
    const notRunning = { resolvectl: { exitCode: 1, stderr: 'System has not been booted with systemd' } }
    assert.deepEqual(await getDns(host(notRunning), 'eth0'), expected)
    await assert.rejects(getDns(host(resolved), 'moon0'), /interface not found: moon0/)
    await assert.rejects(getDns(host(resolved), '../x'), /invalid interface/)
  })

  it('is changed by resolvectl, once', async () => {
    assert.equal((await updateDns(host(resolved), change)).changed, true)
    assert.deepEqual(calls.slice(-2), ['resolvectl dns eth0 192.0.2.9', 'resolvectl domain eth0 example.com'])
    const same = { ...change, servers: ['192.0.2.1', '2001:db8::1'], searchDomains: [] }
    assert.equal((await updateDns(host(resolved), same)).changed, false)
    assert.equal((await deleteDns(host(resolved), 'eth0')).changed, true)
    assert.equal(calls.at(-1), 'resolvectl revert eth0')
    await assert.rejects(updateDns(host({}), change), UnsupportedError)
    await assert.rejects(deleteDns(host({}), 'eth0'), UnsupportedError)
  })

  it('is changed by a netplan drop-in where there is netplan, and taken back', async () => {
    const system = host({ netplan: {} })
    const file = join(root, 'etc/netplan/90-osapi-dns-eth0.yaml')
    assert.equal((await updateDns(system, change)).changed, true)
    const text = await readFile(file, 'utf8')
    assert.match(text, /"addresses": \[\s+"192.0.2.9"/)
    assert.match(text, /"use-dns": false/)
    assert.equal((await updateDns(system, change)).changed, false)
    assert.equal((await deleteDns(system, 'eth0')).changed, true)
    assert.equal((await deleteDns(system, 'eth0')).changed, false)
    await assert.rejects(readFile(file), /ENOENT/)
  })

  it('leaves no drop-in behind that netplan refuses', async () => {
    const system = host({ 'netplan generate': { exitCode: 78, stderr: 'bad yaml' }, netplan: {} })
    await assert.rejects(updateDns(system, change), /netplan: bad yaml/)
    await assert.rejects(readFile(join(root, 'etc/netplan/90-osapi-dns-eth0.yaml')), /ENOENT/)
  })

  it('takes addresses and domain names only', async () => {
    await assert.rejects(updateDns(host(resolved), { ...change, servers: ['--help'] }), /invalid DNS server/)
    await assert.rejects(
      updateDns(host(resolved), { ...change, searchDomains: ['-x y'] }),
      /invalid search domain/,
    )
    await assert.rejects(
      updateDns(host(resolved), { ...change, servers: [], searchDomains: [] }),
      /neither servers/,
    )
  })
})

describe('ping', () => {
  const output = `3 packets transmitted, 2 received, 33.3333% packet loss, time 2003ms
rtt min/avg/max/mdev = 18.9/19.707031/20.1/0.4 ms`

  it('tells packets and round trips', async () => {
    const answered = { ping: { stdout: output } }
    const result = await ping(host(answered), '192.0.2.1')
    assert.deepEqual(calls, ['ping -n -c 3 -w 5 192.0.2.1'])
    const { packet_loss: loss, ...rest } = result
    assert.ok(Math.abs(loss - 33.333) < 0.01)
    assert.deepEqual(rest, {
      packets_sent: 3,
      packets_received: 2,
      min_rtt: '18.9ms',
      avg_rtt: '19.707031ms',
      max_rtt: '20.1ms',
    })
  })

  it('of a silent host is a result, of a name or without the program none', async () => {
    const silent = parsePing('3 packets transmitted, 0 received, 100% packet loss')
    assert.equal(silent?.packet_loss, 100)
    assert.equal(silent?.avg_rtt, '0s')
    await assert.rejects(ping(host({ ping: {} }), '-f'), /not an IP address/)
    await assert.rejects(ping(host({}), '192.0.2.1'), UnsupportedError)
    const broken = host({ ping: { exitCode: 2, stderr: 'ping: connect: Network is unreachable' } })
    await assert.rejects(ping(broken, '192.0.2.1'), /Network is unreachable/)
  })
})

describe('hostname update', () => {
  it('goes through hostnamectl, and changes nothing twice', async () => {
    assert.deepEqual(await updateHostname(host({ hostnamectl: {} }), 'new-1'), {
      hostname: 'new-1',
      changed: true,
    })
    assert.deepEqual(calls, ['hostnamectl set-hostname new-1'])
    assert.deepEqual(await updateHostname(host({ hostnamectl: {} }), 'old'), {
      hostname: 'old',
      changed: false,
    })
  })

  it('goes to the kernel where systemd does not run', async () => {
    await updateHostname(
      host({ hostnamectl: { exitCode: 1, stderr: 'System has not been booted with systemd' } }),
      'new-2',
    )
    assert.equal(await readFile(join(root, 'proc/sys/kernel/hostname'), 'utf8'), 'new-2\n')
    assert.equal(await readFile(join(root, 'etc/hostname'), 'utf8'), 'new-2\n')
  })

  it('refuses what is no name', async () => {
    for (const name of ['-x', 'a b', '', 'a..b', 'x'.repeat(64)]) {
      await assert.rejects(updateHostname(host({ hostnamectl: {} }), name), /invalid hostname/)
    }
    await assert.rejects(
      updateHostname(host({ hostnamectl: { exitCode: 1, stderr: 'denied' } }), 'new'),
      /hostnamectl: denied/,
    )
  })
})
