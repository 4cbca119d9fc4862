import { describe, it } from 'node:test'
import { type Case, type CollectorKind, casesOf, endsAsWithoutUs, losesNothing, titleOf } from './case.ts'

const everyCollector: readonly CollectorKind[] = ['there', 'slow', 'refused', 'hanging']
const ways = ['natural', 'exit-3', 'throw', 'reject', 'SIGTERM', 'SIGINT', 'SIGHUP']
const rarerWays = [
  'natural-code',
  'exit-0',
  'throw-at-once',
  'throw-no-error',
  'caught-then-exit',
  'spans-in-exit-handler',
  'exit-in-before-exit',
  'thread-ends',
  'thread-throws',
  'thread-throws-unhandled',
  'thread-exits',
]

const http = 'http/protobuf'

describe('an orderly end with a spool loses nothing and looks as without us', { concurrency: 4 }, () => {
  const cases: Case[] = [
    ...casesOf({ ways, collectors: everyCollector, spools: ['on-failure'] }),
    ...casesOf({ ways, collectors: ['there', 'hanging'], spools: ['always'], over: 'grpc' }),
    ...casesOf({ ways: rarerWays, collectors: ['hanging'], spools: ['on-failure'], over: http }),
  ]
  for (const one of cases) it(titleOf(one), (t) => losesNothing(one, t))
})

describe('without a spool a collector that answers gets everything', { concurrency: 4 }, () => {
  const cases = [
    ...casesOf({ ways, collectors: ['there'], spools: ['off'] }),
    ...casesOf({ ways, collectors: ['slow'], spools: ['off'], over: 'grpc' }),
    ...casesOf({ ways: rarerWays, collectors: ['there'], spools: ['off'], over: http }),
  ]
  for (const one of cases) it(titleOf(one), (t) => losesNothing(one, t))
})

describe('without a spool or a collector the end looks as without us, and the loss is told', {
  concurrency: 8,
}, () => {
  for (const one of casesOf({ ways, collectors: ['refused', 'hanging'], spools: ['off'], over: http }))
    it(titleOf(one), (t) => endsAsWithoutUs(one, t))
})
