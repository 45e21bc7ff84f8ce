-- A table with the same columns, in which everything can be tried without a lock on the real one.
--
-- Parameters: none
-- Result: none
CREATE TEMPORARY TABLE tingkat_rehearsal (LIKE {table}) ON COMMIT DROP
