/** PEM options take either the text itself or the path of a file with it; only the text has this line. */
export function isPem(text: string): boolean {
  return text.includes('-----BEGIN ')
}
