/**
 * The order in which rows of one span count: ended by its program (NULL), then interrupted, then pending, which happens to be
 * the order of the alphabet. Of pending ones the newest says most; of all others the first arrival counts.
 */
export const rowOrder: string = `state NULLS FIRST, CASE WHEN state = 'pending' THEN -rowid ELSE rowid END`

/**
 * The rows that do not count because another row of the same span does: `row_id` each. Only spans of which one row has a
 * state are looked at, which are few, so that lists of traces stay as cheap as without them.
 */
export const supersededRows: string = `
  SELECT row_id FROM (
    SELECT spans.rowid AS row_id, row_number() OVER (PARTITION BY trace_id, span_id ORDER BY ${rowOrder}) AS place
    FROM spans WHERE (trace_id, span_id) IN (SELECT (trace_id, span_id) FROM spans WHERE state IS NOT NULL))
  WHERE place > 1`

/** As a condition on the rows of `spans`. */
export const isNotSuperseded: string = `spans.rowid NOT IN (${supersededRows})`
