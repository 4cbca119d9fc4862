/**
 * Text of strangers made fit for a terminal: no control characters (an escape sequence could rewrite the screen, or the
 * clipboard), no invisible or direction-changing ones (they make a text read as another), one line.
 */
export const plainText = (text: string): string =>
  text.replace(/[\t\n\r]+/g, ' ').replace(/[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/gu, '\u{fffd}')

/** Wide in terminals: East Asian scripts, full-width forms, emoji. https://www.unicode.org/reports/tr11/ */
const wide =
  /[\u1100-\u115f\u2e80-\u303e\u3041-\u33ff\u3400-\u4dbf\u4e00-\u9fff\ua000-\ua4cf\ua960-\ua97f\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe6f\uff00-\uff60\uffe0-\uffe6]|\p{Emoji_Presentation}|[\u{20000}-\u{3fffd}]/u
const combining = /^\p{M}$/u

const columnsOf = (character: string): number => {
  if (character <= '\u{2ff}') return 1
  if (combining.test(character)) return 0
  return wide.test(character) ? 2 : 1
}

/** Columns that `text` takes; `text` has no control characters. */
export function widthOf(text: string): number {
  let width = 0
  for (const character of text) width += columnsOf(character)
  return width
}

/** `text` in exactly `width` columns: cut with an ellipsis, or filled up with spaces on the given side. */
export function fit(text: string, width: number, side: 'left' | 'right' = 'right'): string {
  const missing = width - widthOf(text)
  if (missing >= 0) return side === 'right' ? text + ' '.repeat(missing) : ' '.repeat(missing) + text
  let kept = ''
  let keptWidth = 0
  for (const character of text) {
    const columns = columnsOf(character)
    if (keptWidth + columns > width - 1) break
    kept += character
    keptWidth += columns
  }
  return width <= 0 ? '' : `${kept}…${' '.repeat(width - 1 - keptWidth)}`
}

/** In UTC; seconds are enough to find a trace again. Undefined for a time that no Date can hold. */
export function formatTime(unixMs: number): string | undefined {
  const date = new Date(unixMs)
  return Number.isNaN(date.getTime()) ? undefined : date.toISOString().slice(0, 19).replace('T', ' ')
}
