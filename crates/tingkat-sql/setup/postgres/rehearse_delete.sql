-- Removes the row from the copy.
--
-- Parameters: none
-- Result: none
DELETE FROM pg_temp.tingkat_rehearsal
