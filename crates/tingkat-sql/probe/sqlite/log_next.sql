-- Which number a transaction that writes gets at the earliest.
--
-- Parameters
--   ?1 text  nothing, as a JSON array of texts
-- Result: one row
--   position  bigint
SELECT coalesce(max(sqlite_sequence.seq), 0) + 1 AS position
FROM sqlite_sequence
WHERE sqlite_sequence.name = 'tingkat_change' AND ?1 IS NOT NULL
