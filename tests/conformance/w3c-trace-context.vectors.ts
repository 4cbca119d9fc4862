/**
 * The rules of W3C Trace Context level 2 as data. `source` is the anchor of the rule in
 * https://www.w3.org/TR/trace-context-2/ (where a vector follows the W3C's own test harness, its test is named).
 */
export interface TraceContextVector {
  readonly name: string
  readonly source: string
  readonly traceparent?: string | readonly string[]
  readonly tracestate?: string | readonly string[]
  /** undefined: a new trace starts. Otherwise what goes out again, with the span id of the caller. */
  readonly expected: { readonly traceparent: string; readonly tracestate?: string } | undefined
}

const traceId = '12345678901234567890123456789012'
const spanId = '1234567890123456'
const valid = `00-${traceId}-${spanId}-01`
const unsampled = `00-${traceId}-${spanId}-00`

const traceparentVectors: readonly TraceContextVector[] = [
  {
    name: 'sampled',
    source: '#examples-of-http-traceparent-headers',
    traceparent: valid,
    expected: { traceparent: valid },
  },
  {
    name: 'not sampled',
    source: '#examples-of-http-traceparent-headers',
    traceparent: unsampled,
    expected: { traceparent: unsampled },
  },
  { name: 'missing', source: '#mutating-the-traceparent-field', expected: undefined },
  { name: 'empty', source: '#traceparent-header-field-values', traceparent: '', expected: undefined },
  {
    name: 'the random flag is kept',
    source: '#random-trace-id-flag',
    traceparent: `00-${traceId}-${spanId}-02`,
    expected: { traceparent: `00-${traceId}-${spanId}-02` },
  },
  {
    name: 'both flags are kept',
    source: '#random-trace-id-flag',
    traceparent: `00-${traceId}-${spanId}-03`,
    expected: { traceparent: `00-${traceId}-${spanId}-03` },
  },
  {
    name: 'reserved flags go out as zero',
    source: '#other-flags',
    traceparent: `00-${traceId}-${spanId}-ff`,
    expected: { traceparent: `00-${traceId}-${spanId}-03` },
  },
  {
    name: 'only reserved flags',
    source: '#other-flags',
    traceparent: `00-${traceId}-${spanId}-fc`,
    expected: { traceparent: unsampled },
  },
  {
    name: 'twice, as two values',
    source: 'harness test_traceparent_duplicated',
    traceparent: [valid, `00-${traceId}-${spanId}-00`],
    expected: undefined,
  },
  {
    name: 'twice, joined by the server',
    source: 'harness test_traceparent_duplicated',
    traceparent: `${valid}, ${valid}`,
    expected: undefined,
  },
  {
    name: 'twice, joined, of a future version',
    source: 'harness test_traceparent_duplicated',
    traceparent: `cc${valid.slice(2)}, ${valid}`,
    expected: undefined,
  },
  {
    name: 'one value in a list',
    source: '#traceparent-header',
    traceparent: [valid],
    expected: { traceparent: valid },
  },
  { name: 'an empty list', source: '#traceparent-header', traceparent: [], expected: undefined },
  {
    name: 'version 00 with a dot behind',
    source: 'harness test_traceparent_version_0x00',
    traceparent: `${valid}.`,
    expected: undefined,
  },
  {
    name: 'version 00 with a field behind',
    source: 'harness test_traceparent_version_0x00',
    traceparent: `${valid}-what-the-future-will-be-like`,
    expected: undefined,
  },
  {
    name: 'future version',
    source: '#versioning-of-traceparent',
    traceparent: `cc-${traceId}-${spanId}-01`,
    expected: { traceparent: valid },
  },
  {
    name: 'future version with a field behind',
    source: '#versioning-of-traceparent',
    traceparent: `cc-${traceId}-${spanId}-01-what-the-future-will-be-like`,
    expected: { traceparent: valid },
  },
  {
    name: 'future version with a bare dash behind',
    source: '#versioning-of-traceparent',
    traceparent: `01-${traceId}-${spanId}-01-`,
    expected: { traceparent: valid },
  },
  {
    name: 'future version with a dot behind',
    source: '#versioning-of-traceparent',
    traceparent: `cc-${traceId}-${spanId}-01.what-the-future-will-be-like`,
    expected: undefined,
  },
  { name: 'version ff', source: '#version', traceparent: `ff-${traceId}-${spanId}-01`, expected: undefined },
  {
    name: 'version fe, the last one',
    source: '#version',
    traceparent: `fe-${traceId}-${spanId}-01`,
    expected: { traceparent: valid },
  },
  {
    name: 'illegal first version character',
    source: '#version',
    traceparent: `.0-${traceId}-${spanId}-01`,
    expected: undefined,
  },
  {
    name: 'illegal second version character',
    source: '#version',
    traceparent: `0.-${traceId}-${spanId}-01`,
    expected: undefined,
  },
  {
    name: 'upper-case version',
    source: '#version',
    traceparent: `CC-${traceId}-${spanId}-01`,
    expected: undefined,
  },
  {
    name: 'version too long',
    source: 'harness test_traceparent_version_too_long',
    traceparent: `000-${traceId}-${spanId}-01`,
    expected: undefined,
  },
  {
    name: 'version two too long',
    source: 'harness test_traceparent_version_too_long',
    traceparent: `0000-${traceId}-${spanId}-01`,
    expected: undefined,
  },
  {
    name: 'version too short',
    source: 'harness test_traceparent_version_too_short',
    traceparent: `0-${traceId}-${spanId}-01`,
    expected: undefined,
  },
  {
    name: 'trace id all zero',
    source: '#trace-id',
    traceparent: `00-${'0'.repeat(32)}-${spanId}-01`,
    expected: undefined,
  },
  {
    name: 'trace id with one bit',
    source: '#trace-id',
    traceparent: `00-${'0'.repeat(31)}1-${spanId}-01`,
    expected: { traceparent: `00-${'0'.repeat(31)}1-${spanId}-01` },
  },
  {
    name: 'trace id illegal at its start',
    source: '#trace-id',
    traceparent: `00-.${traceId.slice(1)}-${spanId}-01`,
    expected: undefined,
  },
  {
    name: 'trace id illegal at its end',
    source: '#trace-id',
    traceparent: `00-${traceId.slice(1)}.-${spanId}-01`,
    expected: undefined,
  },
  {
    name: 'upper-case trace id',
    source: '#trace-id',
    traceparent: `00-${'A'.repeat(32)}-${spanId}-01`,
    expected: undefined,
  },
  {
    name: 'trace id with a character beyond ASCII',
    source: '#trace-id',
    traceparent: `00-ı${traceId.slice(1)}-${spanId}-01`,
    expected: undefined,
  },
  {
    name: 'trace id too long',
    source: '#trace-id',
    traceparent: `00-${traceId}3-${spanId}-01`,
    expected: undefined,
  },
  {
    name: 'trace id too short',
    source: '#trace-id',
    traceparent: `00-${traceId.slice(1)}-${spanId}-01`,
    expected: undefined,
  },
  {
    name: 'parent id all zero',
    source: '#parent-id',
    traceparent: `00-${traceId}-${'0'.repeat(16)}-01`,
    expected: undefined,
  },
  {
    name: 'parent id illegal at its start',
    source: '#parent-id',
    traceparent: `00-${traceId}-.${spanId.slice(1)}-01`,
    expected: undefined,
  },
  {
    name: 'parent id illegal at its end',
    source: '#parent-id',
    traceparent: `00-${traceId}-${spanId.slice(1)}.-01`,
    expected: undefined,
  },
  {
    name: 'upper-case parent id',
    source: '#parent-id',
    traceparent: `00-${traceId}-${'B'.repeat(16)}-01`,
    expected: undefined,
  },
  {
    name: 'parent id too long',
    source: '#parent-id',
    traceparent: `00-${traceId}-${spanId}7-01`,
    expected: undefined,
  },
  {
    name: 'parent id too short',
    source: '#parent-id',
    traceparent: `00-${traceId}-${spanId.slice(1)}-01`,
    expected: undefined,
  },
  {
    name: 'flags illegal at their start',
    source: '#trace-flags',
    traceparent: `00-${traceId}-${spanId}-.0`,
    expected: undefined,
  },
  {
    name: 'flags illegal at their end',
    source: '#trace-flags',
    traceparent: `00-${traceId}-${spanId}-0.`,
    expected: undefined,
  },
  {
    name: 'flags too long',
    source: '#trace-flags',
    traceparent: `00-${traceId}-${spanId}-001`,
    expected: undefined,
  },
  {
    name: 'flags too short',
    source: '#trace-flags',
    traceparent: `00-${traceId}-${spanId}-1`,
    expected: undefined,
  },
  {
    name: 'underscores for dashes',
    source: '#traceparent-header-field-values',
    traceparent: valid.replaceAll('-', '_'),
    expected: undefined,
  },
  {
    name: 'space around',
    source: 'harness test_traceparent_ows_handling',
    traceparent: ` ${valid} `,
    expected: { traceparent: valid },
  },
  {
    name: 'tabs around',
    source: 'harness test_traceparent_ows_handling',
    traceparent: `\t ${valid} \t`,
    expected: { traceparent: valid },
  },
  {
    name: 'a prohibitively long one',
    source: '#versioning-of-traceparent',
    traceparent: '0'.repeat(1_000_000),
    expected: undefined,
  },
]

const key256 = 'z'.repeat(256)
const value256 = 'v'.repeat(256)
const everyKeyChar = 'abcdefghijklmnopqrstuvwxyz0123456789_-*/@'
const everyValueChar = Array.from({ length: 0x7e - 0x20 + 1 }, (_, index) =>
  String.fromCharCode(0x20 + index),
)
  .filter((char) => char !== ',' && char !== '=')
  .join('')

function numbered(count: number): string {
  return Array.from({ length: count }, (_, index) => `bar${index + 1}=${index + 1}`).join(',')
}

/** Every one comes with a valid traceparent; '' means that none goes out. */
function state(
  name: string,
  source: string,
  tracestate: string | readonly string[],
  expected: string,
): TraceContextVector {
  return {
    name,
    source,
    traceparent: unsampled,
    tracestate,
    expected: expected === '' ? { traceparent: unsampled } : { traceparent: unsampled, tracestate: expected },
  }
}

const fieldValues = '#tracestate-header-field-values'
const tracestateVectors: readonly TraceContextVector[] = [
  {
    name: 'tracestate without traceparent',
    source: 'harness test_tracestate_included_traceparent_missing',
    tracestate: 'foo=1',
    expected: undefined,
  },
  {
    name: 'tracestate with an invalid traceparent',
    source: '#tracestate-header',
    traceparent: `ff${valid.slice(2)}`,
    tracestate: 'foo=1',
    expected: undefined,
  },
  state('two members', fieldValues, 'foo=1,bar=2', 'foo=1,bar=2'),
  state('an empty header', fieldValues, '', ''),
  state('only empty members', fieldValues, ' , ,\t,', ''),
  state('empty members between', fieldValues, 'foo=1,, ,bar=2,', 'foo=1,bar=2'),
  state(
    'several headers in their order',
    fieldValues,
    ['foo=1,bar=2', 'rojo=1,congo=2', 'baz=3'],
    'foo=1,bar=2,rojo=1,congo=2,baz=3',
  ),
  state('an empty header among several', fieldValues, ['foo=1', '', 'bar=2'], 'foo=1,bar=2'),
  state(
    'spaces and tabs around members',
    fieldValues,
    ' foo=1 \t , \t bar=2, \t baz=3\t',
    'foo=1,bar=2,baz=3',
  ),
  state('leading space of a value is kept', '#value', 'foo= 1', 'foo= 1'),
  state('the same key twice: the left one is the later', '#combined-header-value', 'foo=1,foo=2', 'foo=1'),
  state('the same key in two headers', '#combined-header-value', ['foo=1', 'foo=1'], 'foo=1'),
  state('every key character', '#key', `${everyKeyChar}=1`, `${everyKeyChar}=1`),
  state('a key that starts with a digit', '#key', '0foo=1', '0foo=1'),
  state(
    'at signs anywhere but at the start',
    '#key',
    'foo@=1,foo@@bar=1,foo@bar@baz=1',
    'foo@=1,foo@@bar=1,foo@bar@baz=1',
  ),
  state('a key that starts with an at sign', '#key', '@foo=1,bar=2', ''),
  state('a key that starts with an underscore', '#key', '_foo=1,bar=2', ''),
  state('a key with a space behind', '#key', 'foo =1,bar=2', ''),
  state('an upper-case key', '#key', 'FOO=1,bar=2', ''),
  state('a key with a dot', '#key', 'foo.bar=1,bar=2', ''),
  state('an empty key', '#key', '=1,bar=2', ''),
  state('a member without an equals sign', '#list-members', 'foo,bar=2', ''),
  state('a key of 256 characters', '#key', `foo=1,${key256}=1`, `foo=1,${key256}=1`),
  state('a key of 257 characters', '#key', `foo=1,${key256}z=1`, ''),
  state(
    'a key of 256 with an at sign',
    '#key',
    `${'t'.repeat(241)}@${'v'.repeat(14)}=1`,
    `${'t'.repeat(241)}@${'v'.repeat(14)}=1`,
  ),
  state('every value character', '#value', `foo=${everyValueChar}`, `foo=${everyValueChar}`),
  state('a value of 256 characters', '#value', `foo=${value256}`, `foo=${value256}`),
  state('a value of 257 characters', '#value', `foo=${value256}v,bar=2`, ''),
  state('an equals sign in a value', '#value', 'foo=bar=baz', ''),
  state('an empty value', '#value', 'foo=,bar=3', ''),
  state('a value of spaces', '#value', 'foo=  ,bar=3', ''),
  state('a tab inside a value', '#value', 'foo=a\tb,bar=3', ''),
  state('a value beyond ASCII', '#value', 'foo=é,bar=3', ''),
  state('a control character in a value', '#value', 'foo=a\u007fb,bar=3', ''),
  state('32 members', '#list', numbered(32), numbered(32)),
  state('33 members', '#list', numbered(33), ''),
  state('32 members and empty ones', '#list', `,${numbered(32)},,`, numbered(32)),
  state(
    '512 characters',
    '#tracestate-limits',
    `a=${'x'.repeat(253)},b=${'y'.repeat(254)}`,
    `a=${'x'.repeat(253)},b=${'y'.repeat(254)}`,
  ),
  state(
    'large members go first when the text is too long',
    '#tracestate-limits',
    `a=${'x'.repeat(250)},small=1,b=${'y'.repeat(250)},c=${'y'.repeat(250)},d=${'y'.repeat(250)},e=${'y'.repeat(250)},last=2`,
    `a=${'x'.repeat(250)},small=1,b=${'y'.repeat(250)},c=${'y'.repeat(250)},last=2`,
  ),
  state(
    'then members from the end',
    '#tracestate-limits',
    Array.from({ length: 10 }, (_, index) => `k${index}=${'v'.repeat(120)}`),
    Array.from({ length: 8 }, (_, index) => `k${index}=${'v'.repeat(120)}`).join(','),
  ),
  state('a prohibitively long one', '#tracestate-limits', 'a=1,'.repeat(100_000), ''),
]

export const vectors: readonly TraceContextVector[] = [...traceparentVectors, ...tracestateVectors]

/** Names of vectors that we are known to fail, with the reason. A vector here that passes fails the test. */
export const knownFailing: ReadonlyMap<string, string> = new Map()
