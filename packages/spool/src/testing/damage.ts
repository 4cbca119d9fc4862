import * as fc from 'fast-check'

/** One thing that happens to a file. Places are fractions of its size, so that they fit any file. */
export type Damage =
  | { readonly kind: 'flip'; readonly place: number; readonly bits: number }
  | { readonly kind: 'insert'; readonly place: number; readonly bytes: Uint8Array }
  | { readonly kind: 'overwrite'; readonly place: number; readonly bytes: Uint8Array }
  | { readonly kind: 'remove'; readonly place: number; readonly count: number }
  | { readonly kind: 'truncate'; readonly place: number }

const place = fc.nat(9_999).map((number) => number / 10_000)
const marker = Uint8Array.from([0xf9, 0x54, 0x4c, 0x72])
const bytes = fc.oneof(
  fc.uint8Array({ minLength: 1, maxLength: 60 }),
  // What looks like the beginning of a record, and zeros, as a loss of power leaves them.
  fc.uint8Array({ maxLength: 40 }).map((rest) => Uint8Array.from([...marker, ...rest])),
  fc.integer({ min: 1, max: 300 }).map((size) => new Uint8Array(size)),
)

export const damage: fc.Arbitrary<Damage> = fc.oneof(
  fc.record({ kind: fc.constant('flip'), place, bits: fc.integer({ min: 1, max: 255 }) }),
  fc.record({ kind: fc.constant('insert'), place, bytes }),
  fc.record({ kind: fc.constant('overwrite'), place, bytes }),
  fc.record({ kind: fc.constant('remove'), place, count: fc.integer({ min: 1, max: 200 }) }),
  fc.record({ kind: fc.constant('truncate'), place }),
)

export function applyDamage(file: Buffer, change: Damage): Buffer {
  const offset = Math.floor(change.place * file.length)
  const [before, after] = [file.subarray(0, offset), file.subarray(offset)]
  switch (change.kind) {
    case 'flip':
      return Buffer.concat([
        before,
        after.subarray(0, 1).map((byte) => byte ^ change.bits),
        after.subarray(1),
      ])
    case 'insert':
      return Buffer.concat([before, change.bytes, after])
    case 'overwrite':
      return Buffer.concat([before, change.bytes, after.subarray(change.bytes.length)])
    case 'remove':
      return Buffer.concat([before, after.subarray(change.count)])
    case 'truncate':
      return Buffer.from(before)
  }
}
