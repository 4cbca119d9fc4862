import { statfs } from 'node:fs/promises'
import { hostname } from 'node:os'
import type { DiskUsage, LoadAverage, MemoryStats, OsInfo } from '../job/results.ts'
import { isMissing, type System, UnsupportedError } from './system.ts'

// What /proc and /etc tell of a Linux host. A file that is not there means another kind of host: unsupported.

export async function readHostname(system: System): Promise<string> {
  const name = await system.read('/proc/sys/kernel/hostname').catch(() => hostname())
  return name.trim()
}

export async function readUptimeSeconds(system: System): Promise<number> {
  return Math.floor(Number((await proc(system, '/proc/uptime')).split(' ')[0]))
}

/** `64 days, 11 hours, 20 minutes` */
export function uptimeText(seconds: number): string {
  const parts = [
    [Math.floor(seconds / 86_400), 'day'],
    [Math.floor(seconds / 3600) % 24, 'hour'],
    [Math.floor(seconds / 60) % 60, 'minute'],
  ] as const
  return parts.map(([count, unit]) => `${count} ${unit}${count === 1 ? '' : 's'}`).join(', ')
}

export async function readLoad(system: System): Promise<LoadAverage> {
  const [one, five, fifteen] = (await proc(system, '/proc/loadavg')).split(' ').map(Number)
  return { '1min': one ?? 0, '5min': five ?? 0, '15min': fifteen ?? 0 }
}

export async function readMemory(system: System): Promise<MemoryStats> {
  const values = new Map<string, number>()
  for (const [, key, kib] of (await proc(system, '/proc/meminfo')).matchAll(/^(\w+):\s+(\d+) kB$/gm)) {
    values.set(key ?? '', Number(kib) * 1024)
  }
  const value = (key: string) => values.get(key) ?? 0
  const total = value('MemTotal')
  // Kernels before 3.14 do not estimate what is available.
  const available =
    values.get('MemAvailable') ?? Math.min(total, value('MemFree') + value('Buffers') + value('Cached'))
  return { total, free: value('MemFree'), used: total - available, available, cached: value('Cached') }
}

export async function readOs(system: System): Promise<OsInfo> {
  const fields = new Map<string, string>()
  for (const [, key, value] of (await proc(system, '/etc/os-release')).matchAll(/^(\w+)=(.*)$/gm)) {
    fields.set(key ?? '', (value ?? '').replace(/^(["'])(.*)\1$/, '$2'))
  }
  return { distribution: fields.get('ID') ?? 'linux', version: fields.get('VERSION_ID') ?? '' }
}

/** Filesystems that hold no data of their own, or another one's. */
const pseudoFilesystems = new Set(
  (
    'autofs binfmt_misc bpf cgroup cgroup2 configfs debugfs devpts devtmpfs efivarfs fusectl hugetlbfs mqueue ' +
    'nsfs overlay proc pstore ramfs rpc_pipefs securityfs squashfs sysfs tmpfs tracefs'
  ).split(' '),
)

/** One row for each mounted device; `/` is there even where its filesystem is an overlay, as in containers. */
export async function readDisks(system: System): Promise<readonly DiskUsage[]> {
  const mounts = (await proc(system, '/proc/self/mounts'))
    .split('\n')
    .map((line) => line.split(' '))
    .map(([device = '', point = '', kind = '']) => ({ device, point: unescapeMount(point), kind }))
    .filter(({ point, kind }) => point === '/' || (point !== '' && !pseudoFilesystems.has(kind)))
  const seen = new Set<string>()
  const disks: DiskUsage[] = []
  for (const { device, point } of mounts) {
    // A bind mount shows the same device again.
    if (device.startsWith('/') && seen.has(device)) continue
    seen.add(device)
    const disk = await diskUsage(point)
    if (disk !== undefined && !disks.some(({ name }) => name === disk.name)) disks.push(disk)
  }
  return disks
}

async function diskUsage(point: string): Promise<DiskUsage | undefined> {
  try {
    const { bsize, blocks, bfree, bavail } = await statfs(point)
    if (blocks === 0) return undefined
    return { name: point, total: blocks * bsize, used: (blocks - bfree) * bsize, free: bavail * bsize }
  } catch {
    // Not ours to read, or unmounted since the table was read.
    return undefined
  }
}

/** The kernel writes blanks in paths as octal. */
function unescapeMount(point: string): string {
  return point.replace(/\\([0-7]{3})/g, (_, octal: string) => String.fromCharCode(Number.parseInt(octal, 8)))
}

async function proc(system: System, path: string): Promise<string> {
  try {
    return await system.read(path)
  } catch (error) {
    if (isMissing(error)) throw new UnsupportedError(`no ${path}`)
    throw error
  }
}
