import { type Baggage, type BaggageEntry, baggageEntryMetadataFromString } from '@opentelemetry/api'

/**
 * Limits of what goes out, and of what is read. W3C Baggage asks for 64 entries and 8192 bytes at least; 180 is what
 * other OpenTelemetry implementations pass on. https://www.w3.org/TR/baggage/#limits
 */
export const baggageEntriesMax = 180
export const baggageBytesMax = 8192
/** Longer input is not read past this point: room for a full list with generous optional whitespace. */
const inputCharsMax = 2 * baggageBytesMax

/**
 * The header text of a baggage: whole entries in their order, up to both limits. Values are percent-encoded; an entry
 * that cannot be written (an empty key, broken surrogates) is left out.
 */
export function formatBaggage(entries: readonly [string, BaggageEntry][]): string {
  let text = ''
  let count = 0
  for (const [key, entry] of entries) {
    if (count === baggageEntriesMax) break
    const member = formatMember(key, entry)
    if (member === undefined) continue
    // Everything is ASCII by now: characters are bytes.
    const nextSize = text.length + (text === '' ? 0 : 1) + member.length
    if (nextSize > baggageBytesMax) break
    text = text === '' ? member : `${text},${member}`
    count += 1
  }
  return text
}

/** The entries of a header text. Members that break the grammar are left out; of equal keys the last one counts. */
export function parseBaggage(text: string): Record<string, BaggageEntry> | undefined {
  const entries: Record<string, BaggageEntry> = Object.create(null) as Record<string, BaggageEntry>
  let count = 0
  let start = 0
  const end = Math.min(text.length, inputCharsMax)
  while (start < end && count < baggageEntriesMax) {
    let comma = text.indexOf(',', start)
    if (comma === -1) comma = text.length
    // A member that the limit cuts in two is not half read.
    if (comma > inputCharsMax) break
    const parsed = parseMember(text.slice(start, comma))
    if (parsed !== undefined) {
      entries[parsed.key] = parsed.entry
      count += 1
    }
    start = comma + 1
  }
  return count === 0 ? undefined : entries
}

/** All entries of an API baggage; the API's iteration is other code, so it may fail. */
export function baggageEntries(baggage: Baggage): [string, BaggageEntry][] {
  try {
    return baggage.getAllEntries()
  } catch {
    return []
  }
}

const token = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/
/** What may follow the first semicolon as it is: printable ASCII without the list's own comma. */
const metadataText = /^[\x20-\x2b\x2d-\x7e]*$/

function formatMember(key: string, entry: BaggageEntry): string | undefined {
  if (typeof key !== 'string' || key === '' || typeof entry?.value !== 'string') return undefined
  try {
    // A key of token characters is written as it is, unless the reader would take its percent sign for an escape.
    const writtenKey = token.test(key) && !key.includes('%') ? key : encodeKey(key)
    const metadata = entry.metadata?.toString().trim() ?? ''
    const suffix = metadata !== '' && metadataText.test(metadata) ? `;${metadata}` : ''
    return `${writtenKey}=${encodeURIComponent(entry.value)}${suffix}`
  } catch {
    return undefined
  }
}

/** encodeURIComponent leaves parentheses as they are, and they are no token characters. */
function encodeKey(key: string): string {
  return encodeURIComponent(key).replaceAll('(', '%28').replaceAll(')', '%29')
}

function parseMember(member: string): { readonly key: string; readonly entry: BaggageEntry } | undefined {
  const semicolon = member.indexOf(';')
  const pair = semicolon === -1 ? member : member.slice(0, semicolon)
  const equals = pair.indexOf('=')
  if (equals === -1) return undefined
  const key = pair.slice(0, equals).trim()
  if (!token.test(key)) return undefined
  const value = pair.slice(equals + 1).trim()
  if (!baggageOctets.test(value)) return undefined
  const metadata = semicolon === -1 ? '' : member.slice(semicolon + 1).trim()
  const entry: BaggageEntry = { value: percentDecode(value) }
  if (metadata !== '' && metadataText.test(metadata))
    entry.metadata = baggageEntryMetadataFromString(metadata)
  return { key: percentDecode(key), entry }
}

/** https://www.w3.org/TR/baggage/#definition (baggage-octet), and the quote, which many writers let through. */
const baggageOctets = /^[\x21-\x2b\x2d-\x3a\x3c-\x5b\x5d-\x7e]*$/

/** Sequences that are no UTF-8 become U+FFFD, as the specification wants it. */
function percentDecode(text: string): string {
  if (!text.includes('%')) return text
  try {
    return decodeURIComponent(text)
  } catch {
    const bytes = text.replaceAll(/%([0-9a-fA-F]{2})/g, (_, hex: string) =>
      String.fromCharCode(Number.parseInt(hex, 16)),
    )
    return Buffer.from(bytes, 'latin1').toString('utf8')
  }
}
