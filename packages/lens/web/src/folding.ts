/** Indexes of the spans that are not below a folded one. `spans` stand depth first. */
export function visibleRows(
  spans: readonly { readonly descendantCount: number }[],
  folded: ReadonlySet<number>,
): readonly number[] {
  const rows: number[] = []
  for (let index = 0; index < spans.length; index++) {
    rows.push(index)
    if (folded.has(index)) index += spans[index]?.descendantCount ?? 0
  }
  return rows
}
