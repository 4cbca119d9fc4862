import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { formatDuration } from '../query/format-duration.ts'
import { fit, plainText, widthOf } from './text.ts'

describe('plainText', () => {
  it('lets no control, invisible or direction-changing character through', () => {
    assert.equal(plainText('a\x1b[31mred\x07\x9b2J'), 'a\u{fffd}[31mred\u{fffd}\u{fffd}2J')
    assert.equal(plainText('x\u202egnp.exe\u200b\u2028y'), 'x\u{fffd}gnp.exe\u{fffd}\u{fffd}y')
    assert.equal(plainText('lone \ud800 surrogate'), 'lone \u{fffd} surrogate')
  })

  it('makes lines and tabs spaces, and leaves other scripts alone', () => {
    assert.equal(plainText('a\r\n\tb'), 'a b')
    assert.equal(plainText('größer 日本 🔍'), 'größer 日本 🔍')
  })
})

describe('fit', () => {
  it('fills up to the width on either side', () => {
    assert.equal(fit('ab', 4), 'ab  ')
    assert.equal(fit('ab', 4, 'left'), '  ab')
    assert.equal(fit('abcd', 4), 'abcd')
  })

  it('cuts with an ellipsis, never through a wide character', () => {
    assert.equal(fit('abcde', 4), 'abc…')
    assert.equal(fit('日本語', 4), '日… ')
    assert.equal(fit('日本', 4), '日本')
    assert.equal(fit('abc', 0), '')
  })

  it('counts columns, not characters', () => {
    assert.equal(widthOf('e\u0301'), 1)
    assert.equal(widthOf('日本'), 4)
    assert.equal(widthOf('🔍'), 2)
  })
})

describe('formatDuration', () => {
  it('has three digits and the unit that fits', () => {
    const cases: [number, string][] = [
      [0, '0 ms'],
      [0.00042, '0.42 µs'],
      [0.9994, '999 µs'],
      [0.9996, '1.00 ms'],
      [9.994, '9.99 ms'],
      [9.996, '10.0 ms'],
      [48.2, '48.2 ms'],
      [999.4, '999 ms'],
      [1234, '1.23 s'],
      [59_949, '59.9 s'],
      [59_951, '1 m 00 s'],
      [125_000, '2 m 05 s'],
    ]
    for (const [ms, text] of cases) assert.equal(formatDuration(ms), text)
  })
})
