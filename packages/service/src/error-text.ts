/** What was thrown, as a text for a log line, a span or an answer. */
export function errorText(thrown: unknown): string {
  return thrown instanceof Error ? thrown.message : String(thrown)
}
