-- Empties the change log; its position stays.
--
-- Parameters: none
-- Result: none
DELETE FROM tingkat_change
