import type { AdoptedLedger, Ledger } from './ledger.ts'

/** The account in one line, for people: `ended 12 = delivered 9 + pending 0 + spooled 2 + dropped 1 (queue_full 1)`. */
export function ledgerText(ledger: Ledger, adopted: AdoptedLedger): string {
  const { ended, delivered, pending, spooled, dropped } = ledger
  const own = `ended ${ended} = delivered ${delivered} + pending ${pending} + spooled ${spooled} + ${droppedText(dropped)}`
  if (adopted.adopted === 0) return own
  const others = `adopted ${adopted.adopted} = delivered ${adopted.delivered} + waiting ${adopted.waiting} + ${droppedText(adopted.dropped)}`
  return `${own}; ${others}`
}

function droppedText(dropped: Readonly<Record<string, number>>): string {
  const reasons = Object.entries(dropped)
  const count = reasons.reduce((sum, [, each]) => sum + each, 0)
  if (count === 0) return 'dropped 0'
  return `dropped ${count} (${reasons.map(([reason, each]) => `${reason} ${each}`).join(', ')})`
}
