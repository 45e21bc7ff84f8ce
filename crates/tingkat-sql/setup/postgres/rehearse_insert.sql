-- Puts the row into the copy.
--
-- Parameters: none
-- Result: none
INSERT INTO pg_temp.tingkat_rehearsal SELECT * FROM pg_temp.tingkat_row
