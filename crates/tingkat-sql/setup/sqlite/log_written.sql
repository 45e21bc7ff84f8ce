-- The changes that this transaction wrote.
--
-- Parameters
--   ?1 integer  the position of the log before it
-- Result: one row per change, ordered by id
--   id         integer
--   kind, dep  text
SELECT tingkat_change.id, tingkat_change.kind, tingkat_change.dep
FROM tingkat_change
WHERE tingkat_change.id > ?1
ORDER BY tingkat_change.id
