import assert from 'node:assert/strict'
import { test } from 'node:test'
import { samplerFromEnvironment } from './sampler.ts'

const named = (sampler: string, argument?: string) =>
  samplerFromEnvironment({ OTEL_TRACES_SAMPLER: sampler, OTEL_TRACES_SAMPLER_ARG: argument })?.toString()

test('each name of the specification gives its sampler, in any case and with dashes', () => {
  assert.equal(samplerFromEnvironment({}), undefined)
  assert.match(named('always_on') ?? '', /^AlwaysOn/)
  assert.match(named('Always-Off') ?? '', /^AlwaysOff/)
  assert.match(named('traceidratio', '0.25') ?? '', /^TraceIdRatioBased\{0\.25\}/)
  for (const name of ['parentbased_always_on', 'PARENTBASED-ALWAYS-OFF', 'parentbased_traceidratio'])
    assert.match(named(name) ?? '', /^ParentBased/)
})

test('a ratio stands in line, bare, in scientific notation, or is 1', () => {
  assert.match(named('traceidratio:0.1', '0.9') ?? '', /\{0\.1\}/)
  assert.match(named('0.25') ?? '', /^ParentBased.*\{0\.25\}/)
  assert.match(named('1e-3') ?? '', /\{0\.001\}/)
  assert.match(named('traceidratio') ?? '', /\{1\}/)
  assert.match(
    samplerFromEnvironment({ OTEL_TRACES_SAMPLER_ARG: '0.5' })?.toString() ?? '',
    /^ParentBased.*\{0\.5\}/,
  )
})

test('unknown names and ratios outside 0 to 1 stop the start and name the variable, the value and what is allowed', () => {
  assert.throws(
    () => named('jaeger_remote'),
    /OTEL_TRACES_SAMPLER: "jaeger_remote" is not valid; allowed: always_on, /,
  )
  for (const ratio of ['1.01', '-0.1', 'half', '0x1', 'NaN'])
    assert.throws(() => named('traceidratio', ratio), /OTEL_TRACES_SAMPLER_ARG: .* a number from 0 to 1$/)
  assert.throws(() => named('traceidratio:'), /OTEL_TRACES_SAMPLER: "" is not valid/)
  assert.throws(() => named('always_on:0.5'), /allowed: always_on/)
  assert.throws(() => named('2'), /OTEL_TRACES_SAMPLER: "2" is not valid; allowed: a number from 0 to 1$/)
})
