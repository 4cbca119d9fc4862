// What the suite uses of Deno's assertions, by node:assert.
import assert from 'node:assert/strict'
import { isDeepStrictEqual } from 'node:util'

type Class = abstract new (...args: never[]) => Error

export { ok as assert } from 'node:assert/strict'

/** Node's transport gives Buffers where Deno's gives plain bytes. */
export function equal(a: unknown, b: unknown): boolean {
  if (a instanceof Uint8Array && b instanceof Uint8Array) return Buffer.compare(a, b) === 0
  return isDeepStrictEqual(a, b)
}

export function assertFalse(value: unknown, message?: string): void {
  assert.ok(!value, message)
}

export function assertExists(value: unknown, message = 'expected a value'): void {
  assert.ok(value !== undefined && value !== null, message)
}

export function assertEquals(actual: unknown, expected: unknown, message?: string): void {
  if (!equal(actual, expected)) assert.deepEqual(actual, expected, message)
}

export function assertNotEquals(actual: unknown, expected: unknown, message?: string): void {
  assert.notDeepEqual(actual, expected, message)
}

export function assertAlmostEquals(actual: number, expected: number, tolerance = 1e-7): void {
  assert.ok(Math.abs(actual - expected) <= tolerance, `${actual} is not about ${expected}`)
}

export function assertMatch(actual: string, expected: RegExp, message?: string): void {
  assert.match(actual, expected, message)
}

export function assertStringIncludes(actual: string, expected: string, message?: string): void {
  assert.ok(actual.includes(expected), message ?? `"${actual}" has no "${expected}"`)
}

export function assertArrayIncludes(actual: ArrayLike<unknown>, expected: ArrayLike<unknown>): void {
  const values = Array.from(actual)
  for (const wanted of Array.from(expected)) {
    assert.ok(
      values.some((value) => isDeepStrictEqual(value, wanted)),
      'an element is missing',
    )
  }
}

export function assertInstanceOf(value: unknown, type: Class, message?: string): void {
  assert.ok(value instanceof type, message ?? `expected ${type.name}`)
}

export function assertIsError(error: unknown, type: Class = Error, includes?: string): void {
  assert.ok(error instanceof type, `expected ${type.name}, got ${String(error)}`)
  if (includes !== undefined) assertStringIncludes(error.message, includes)
}

export function assertThrows(run: () => unknown, type?: Class | string, includes?: string): unknown {
  try {
    run()
  } catch (error) {
    return checked(error, type, includes)
  }
  throw new assert.AssertionError({ message: 'expected it to throw' })
}

export async function assertRejects(
  run: () => PromiseLike<unknown>,
  type?: Class | string,
  includes?: string,
): Promise<unknown> {
  try {
    await run()
  } catch (error) {
    return checked(error, type, includes)
  }
  throw new assert.AssertionError({ message: 'expected it to reject' })
}

function checked(error: unknown, type: Class | string | undefined, includes: string | undefined): unknown {
  if (typeof type === 'function') assertIsError(error, type, includes)
  return error
}

export function fail(message = 'failed'): never {
  throw new assert.AssertionError({ message })
}

/** @std/bytes. */
export function equals(a: Uint8Array, b: Uint8Array): boolean {
  return Buffer.compare(a, b) === 0
}
