import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { describe, it } from 'node:test'
import { setImmediate as immediate } from 'node:timers/promises'
import { systemProbe } from './process-identity.ts'

const self = systemProbe.self()
const isGone = (changes: Partial<typeof self>, lastSeenMs = Date.now()): boolean =>
  systemProbe.isGone({ ...self, ...changes }, lastSeenMs)

describe('who is gone', () => {
  it('not this process', () => {
    assert.equal(self.pid, process.pid)
    assert.ok(self.host !== '')
    assert.equal(isGone({}), false)
  })

  it('a process that has ended', async () => {
    const child = spawn(process.execPath, ['-e', ''])
    await once(child, 'close')
    assert.equal(isGone({ pid: child.pid ?? 0 }), true)
  })

  it('nobody who lives where we cannot look', async () => {
    const child = spawn(process.execPath, ['-e', ''])
    await once(child, 'close')
    const gone = { pid: child.pid ?? 0 }
    assert.equal(isGone({ ...gone, pidNamespace: 'pid:[1]' }), false)
    assert.equal(isGone({ ...gone, bootId: 'of another machine' }), false)
    assert.equal(isGone({ ...gone, bootId: 'of another machine', host: 'other' }, 0), false)
    if (self.bootId === '') assert.equal(isGone({ ...gone, host: 'other' }), false)
  })

  it('everybody from before the machine started', () => {
    assert.equal(isGone({ bootId: 'of the last start' }, 0), true)
  })
})

describe('where the system tells of processes', { skip: self.startTime === '' }, () => {
  it('another process with the number of a dead one is not it', () => {
    assert.equal(isGone({ startTime: '1' }), true)
  })

  it('a zombie is gone', { timeout: 60_000 }, async (t) => {
    // The shell's child ends when the shell has become a program that asks for no child's end.
    const shell = spawn('sh', ['-c', 'cat <&3 & echo $!; exec sleep 600 3<&-'], {
      stdio: ['ignore', 'pipe', 'inherit', 'pipe'],
    })
    t.after(() => shell.kill('SIGKILL'))
    const [line] = (await once(shell.stdio[1]?.setEncoding('utf8') ?? assert.fail(), 'data')) as [string]
    const pid = Number(line)
    while (readFileSync(`/proc/${shell.pid}/comm`, 'utf8') !== 'sleep\n') await immediate()
    assert.equal(isGone({ pid, startTime: '' }), false)
    shell.stdio[3]?.destroy()
    while (!isGone({ pid, startTime: '' })) await immediate()
    // It still has its number.
    assert.equal(process.kill(pid, 0), true)
  })

  it('a living process of another user is not', () => {
    assert.equal(isGone({ pid: 1, startTime: '' }), false)
  })
})
