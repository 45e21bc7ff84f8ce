-- Empties the copy.
--
-- Parameters: none
-- Result: none
TRUNCATE pg_temp.tingkat_rehearsal
