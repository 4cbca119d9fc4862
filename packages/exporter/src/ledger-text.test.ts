import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ledgerText } from './ledger-text.ts'

test('the account in one line: the sums, each drop with its reason, and what was adopted if anything was', () => {
  const none = { adopted: 0, delivered: 0, waiting: 0, dropped: {} }
  assert.equal(
    ledgerText({ ended: 5, delivered: 4, pending: 0, spooled: 1, dropped: {} }, none),
    'ended 5 = delivered 4 + pending 0 + spooled 1 + dropped 0',
  )
  assert.equal(
    ledgerText(
      { ended: 5, delivered: 1, pending: 1, spooled: 0, dropped: { queue_full: 2, rejected: 1 } },
      { adopted: 3, delivered: 1, waiting: 1, dropped: { http_400: 1 } },
    ),
    'ended 5 = delivered 1 + pending 1 + spooled 0 + dropped 3 (queue_full 2, rejected 1); adopted 3 = delivered 1 + waiting 1 + dropped 1 (http_400 1)',
  )
})
