import assert from 'node:assert/strict'
import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import * as fc from 'fast-check'
import { openSpool, type Spool } from './index.ts'
import { newOwner, ownerLine } from './owner-file.ts'
import {
  acknowledgementOf,
  acknowledgementOffset,
  checksumSeed,
  encodeRecordHeader,
  encodeSegmentHeader,
  recordHeaderBytes,
  segmentHeaderBytes,
} from './record-format.ts'
import { applyDamage, damage } from './testing/damage.ts'
import { fuzz } from './testing/fuzz.ts'
import { fakeProcess } from './testing/spools.ts'

// Ten thousand folders are made and removed: in memory, where the system has such a place.
const root = mkdtempSync(join(existsSync('/dev/shm') ? '/dev/shm' : tmpdir(), 'spool-fuzz-'))
after(() => rmSync(root, { recursive: true, force: true }))

const ownerId = '00f1e2d3c4b5a697'
const owner = ownerLine(newOwner(fakeProcess(1).self(), { name: 'shop', startedMs: 1 }))

interface WrittenRecord {
  readonly bytes: Buffer
  readonly sequence: number
}

/** Records with payloads of any size, some acknowledged, in segments of a few. */
const segments = fc.array(
  fc.array(
    fc.record({
      payload: fc.oneof(
        fc
          .tuple(fc.nat(300), fc.nat(255))
          .map(([size, first]) => Uint8Array.from({ length: size }, (_value, at) => first + at * 7)),
        // A payload that holds the bytes of a record, as its owner and as another would have written it.
        fc
          .constantFrom(checksumSeed(ownerId) ^ 1, 0)
          .map((seed) => Uint8Array.from(recordBytes(99, new Uint8Array(9), seed))),
      ),
      isAcknowledged: fc.boolean(),
    }),
    { minLength: 1, maxLength: 6, size: 'max' },
  ),
  { minLength: 1, maxLength: 3 },
)

function recordBytes(sequence: number, payload: Uint8Array, seed = checksumSeed(ownerId)): Buffer {
  const header = { kind: 1, itemCount: 1, payloadBytes: payload.length, sequence, appendedMs: 1_000 }
  return Buffer.concat([encodeRecordHeader(header, payload, seed), payload])
}

function acknowledged(record: Buffer): Buffer {
  const bytes = Buffer.from(record)
  bytes.writeUInt32LE(acknowledgementOf(bytes.readUInt32LE(32)), acknowledgementOffset)
  return bytes
}

/** Where the record is in the file, all its bytes but for the acknowledgement, or -1. */
function findRecord(file: Buffer, { bytes }: WrittenRecord): number {
  const header = bytes.subarray(0, acknowledgementOffset)
  const payload = bytes.subarray(recordHeaderBytes)
  for (let at = file.indexOf(header); at !== -1; at = file.indexOf(header, at + 1)) {
    const start = at + recordHeaderBytes
    if (start <= file.length && file.subarray(start, start + payload.length).equals(payload)) return at
  }
  return -1
}

interface Expected {
  /** Every intact record that is not acknowledged. */
  readonly sequences: readonly number[]
  readonly isDamaged: boolean
}

/** What has to come back of a file, worked out without the reader's means. */
function expectedOf(file: Buffer, records: readonly WrittenRecord[], segmentNumber: number): Expected {
  const found = records.flatMap((record) => {
    const at = findRecord(file, record)
    return at === -1 ? [] : [{ ...record, at }]
  })
  const words = found.map(({ at, bytes }) => ({
    word: file.readUInt32LE(at + acknowledgementOffset),
    done: acknowledgementOf(bytes.readUInt32LE(32)),
  }))
  const isWhole =
    file.subarray(0, segmentHeaderBytes).equals(encodeSegmentHeader(segmentNumber, ownerId)) &&
    found.reduce((size, { bytes }) => size + bytes.length, segmentHeaderBytes) === file.length &&
    words.every(({ word, done }) => word === 0 || word === done)
  return {
    sequences: found
      .filter((_record, index) => words[index]?.word !== words[index]?.done)
      .map(({ sequence }) => sequence),
    isDamaged: !isWhole && file.length > 0,
  }
}

function takeAll(spool: Spool): Buffer[] {
  const payloads: Buffer[] = []
  for (let taken = spool.take(); taken !== undefined; taken = spool.take()) {
    payloads.push(Buffer.from(taken.payload))
    assert.equal(spool.acknowledge(taken.record), undefined)
  }
  return payloads
}

/** Writes the folder of a dead owner, damages its files, and has another adopt it. */
function check(
  dir: string,
  segmentsRecords: readonly (readonly { payload: Uint8Array; isAcknowledged: boolean }[])[],
  damages: readonly (readonly Parameters<typeof applyDamage>[1][])[],
): void {
  const folder = `${dir}/o-${ownerId}`
  mkdirSync(folder, { recursive: true })
  const [ownerDamage = [], ...segmentDamages] = damages
  writeFileSync(`${folder}/owner`, ownerDamage.reduce(applyDamage, owner))
  let sequence = 0
  const payloads: Buffer[] = []
  let isDamaged = false
  for (const [index, records] of segmentsRecords.entries()) {
    const written = records.map(({ payload }) => ({ bytes: recordBytes(++sequence, payload), sequence }))
    const onDisk = written.map(({ bytes }, at) =>
      records[at]?.isAcknowledged === true ? acknowledged(bytes) : bytes,
    )
    const intact = Buffer.concat([encodeSegmentHeader(index + 1, ownerId), ...onDisk])
    const file = (segmentDamages[index] ?? []).reduce(applyDamage, intact)
    writeFileSync(`${folder}/0000000${index + 1}.segment`, file)
    const expected = expectedOf(file, written, index + 1)
    isDamaged ||= expected.isDamaged
    for (const { bytes, sequence: number } of written)
      if (expected.sequences.includes(number)) payloads.push(bytes.subarray(recordHeaderBytes))
  }
  const spool = openSpool({ dir, processes: fakeProcess(2), now: () => 2_000_000, silenceMsMax: 1 })
  const { owners, failure } = spool.adopt()
  assert.equal(failure, undefined)
  assert.equal(owners[0]?.recordCount ?? 0, payloads.length)
  assert.deepEqual(takeAll(spool), payloads)
  const { tornCount, corruptCount } = spool.stats().damage
  assert.equal(tornCount + corruptCount > 0, isDamaged, `torn ${tornCount}, corrupt ${corruptCount}`)
  assert.equal(spool.release(''), undefined)
  assert.deepEqual(readdirSync(dir), [])
}

test('whatever happens to its bytes, every intact record comes back once, and damage is counted', () => {
  fuzz(
    fc.property(
      segments,
      fc.array(fc.array(damage, { maxLength: 3 }), { maxLength: 4 }),
      (records, damages) => {
        check(`${root}/spool`, records, damages)
      },
    ),
    10_000,
  )
})
