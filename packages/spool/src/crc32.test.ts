import assert from 'node:assert/strict'
import { it } from 'node:test'
import { crc32, tableCrc32 } from './crc32.ts'

it('the table, zlib and the world agree, also piece by piece', () => {
  // https://reveng.sourceforge.io/crc-catalogue/all.htm#crc.cat.crc-32-iso-hdlc
  assert.equal(tableCrc32(Buffer.from('123456789')), 0xcbf43926)
  for (const size of [0, 1, 255, 16 * 1024 - 1, 16 * 1024, 100_000]) {
    const bytes = Uint8Array.from({ length: size }, (_value, index) => index * 31)
    const parts = [bytes.subarray(0, size >> 1), bytes.subarray(size >> 1)]
    const expected = tableCrc32(bytes, 7)
    assert.equal(crc32(bytes, 7), expected)
    assert.equal(
      parts.reduce((value, part) => crc32(part, value), 7),
      expected,
    )
  }
})
