// What a spool costs: checksums of a full chunk, and the operations on one, in milliseconds (medians).
// Usage, after a build: node bench/dist/micro/spool.bench.js [folder]
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { crc32 as zlibCrc32 } from 'node:zlib'
import { openSpool } from '@throughline/spool'

const chunk = Uint8Array.from({ length: 256 * 1024 }, (_value, index) => (index * 2_654_435_761) >>> 24)

function median(rounds: number, run: () => void): string {
  const times = Array.from({ length: rounds }, () => {
    const startMs = performance.now()
    run()
    return performance.now() - startMs
  })
  return (times.toSorted((a, b) => a - b)[rounds >> 1] ?? Number.NaN).toFixed(4)
}

/** Tables of a reflected CRC; eight of them let a loop take eight bytes at a time. */
function crcTables(polynomial: number, count: number): Int32Array[] {
  const first = Int32Array.from({ length: 256 }, (_value, byte) => {
    let crc = byte
    for (let bit = 0; bit < 8; bit++) crc = (crc & 1) === 1 ? (crc >>> 1) ^ polynomial : crc >>> 1
    return crc
  })
  const tables = [first]
  while (tables.length < count)
    tables.push((tables.at(-1) ?? first).map((crc) => (crc >>> 8) ^ (first[crc & 0xff] ?? 0)))
  return tables
}

const of = (table: Int32Array, index: number): number => table[index & 0xff] as number

function crcByOne(bytes: Uint8Array, table: Int32Array): number {
  let crc = -1
  for (let at = 0; at < bytes.length; at++)
    crc = (crc >>> 8) ^ (table[(crc ^ (bytes[at] as number)) & 0xff] as number)
  return ~crc >>> 0
}

function crcByEight(bytes: Uint8Array, [t0, t1, t2, t3, t4, t5, t6, t7]: Int32Array[]): number {
  if (!t0 || !t1 || !t2 || !t3 || !t4 || !t5 || !t6 || !t7) throw new Error('eight tables are needed')
  const byte = (at: number): number => bytes[at] as number
  let crc = -1
  for (let at = 0; at < bytes.length; at += 8) {
    crc ^= byte(at) | (byte(at + 1) << 8) | (byte(at + 2) << 16) | (byte(at + 3) << 24)
    crc =
      of(t7, crc) ^
      of(t6, crc >>> 8) ^
      of(t5, crc >>> 16) ^
      of(t4, crc >>> 24) ^
      of(t3, byte(at + 4)) ^
      of(t2, byte(at + 5)) ^
      of(t1, byte(at + 6)) ^
      of(t0, byte(at + 7))
  }
  return ~crc >>> 0
}

const crc32c = crcTables(0x82f63b78, 8)
const crc32cFirst = crc32c[0] ?? new Int32Array(256)
if (crcByOne(chunk, crc32cFirst) !== crcByEight(chunk, crc32c)) throw new Error('the two CRC-32C differ')

const dir = mkdtempSync(join(process.argv[2] ?? tmpdir(), 'spool-bench-'))
try {
  const spool = openSpool({ dir, bytesMax: 2 ** 31 })
  const append = (payload: Uint8Array) => {
    const result = spool.append({ kind: 1, itemCount: 1, payload })
    if (!result.ok) throw new Error(result.failure.cause)
    return result.record
  }
  const small = chunk.subarray(0, 500)
  const held = Array.from({ length: 1_001 }, () => append(small))
  console.table({
    'checksum of 256 KiB: zlib.crc32': median(301, () => zlibCrc32(chunk)),
    'checksum of 256 KiB: CRC-32C, eight tables': median(301, () => crcByEight(chunk, crc32c)),
    'checksum of 256 KiB: CRC-32C, one table': median(301, () => crcByOne(chunk, crc32cFirst)),
    'append 256 KiB': median(301, () => append(chunk)),
    'append 500 bytes': median(1_001, () => append(small)),
    acknowledge: median(1_001, () => {
      const record = held.pop()
      if (record !== undefined) spool.acknowledge(record)
    }),
    'append, give back, take, acknowledge 256 KiB': median(301, () => {
      spool.giveBack(append(chunk))
      const taken = spool.take()
      if (taken !== undefined) spool.acknowledge(taken.record)
    }),
  })
  spool.release('')
} finally {
  rmSync(dir, { recursive: true })
}
