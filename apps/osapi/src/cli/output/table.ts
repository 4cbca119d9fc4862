import { formatCell, stripControls } from './format.ts'

const indent = '  '
const columnGap = 2
const pairGap = 4
const pairCharsMin = 20

export type Cell = string | number | boolean | undefined

/** The lines of a table without borders: an upper case header row, columns as wide as their widest cell. */
export function tableLines(headers: readonly string[], rows: readonly (readonly Cell[])[]): string[] {
  const texts = [
    headers.map(headerCell),
    ...rows.map((row) => headers.map((_, i) => formatCell(cellText(row[i])))),
  ]
  const widths = headers.map((_, i) => Math.max(...texts.map((row) => width(row[i] ?? ''))))
  return texts.map((row) => alignLine(row, widths))
}

// Units in a header keep their spelling: LOAD (1m).
function headerCell(header: string): string {
  return header.replace(/^[^(]*/u, (name) => name.toUpperCase())
}

/** A row of cells, each padded to its column's width and two blanks. Trailing blanks are left out. */
export function alignLine(cells: readonly string[], widths: readonly number[]): string {
  const padded = cells.map(
    (cell, i) => cell + ' '.repeat(Math.max(0, (widths[i] ?? 0) - width(cell)) + columnGap),
  )
  return (indent + padded.join('')).trimEnd()
}

/** One line `  Label: value    Label2: value2`; pairs without a value are left out, a line without pairs too. */
export function pairLines(...pairs: readonly (readonly [label: string, value: Cell])[]): string[] {
  const texts = pairs.filter(([, value]) => value !== undefined && value !== '').map(pairText)
  if (texts.length === 0) return []
  const padded = texts.map(
    (text) => text + ' '.repeat(Math.max(pairCharsMin, width(text) + pairGap) - width(text)),
  )
  return [(indent + padded.join('')).trimEnd()]
}

function pairText([label, value]: readonly [string, Cell]): string {
  // Values stand alone at the end of their line or pair, so they are not cut: a token or an id must stay whole.
  return `${label}: ${stripControls(cellText(value)).replace(/\s+/gu, ' ')}`
}

export function indented(line: string): string {
  return (indent + line).trimEnd()
}

function cellText(value: Cell): string {
  return value === undefined ? '' : String(value)
}

/** Characters, not UTF-16 units. */
function width(text: string): number {
  return Array.from(text).length
}
