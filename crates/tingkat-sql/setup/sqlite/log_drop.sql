-- Removes the changes before another one.
--
-- Parameters
--   ?1 integer  the id of the one that stays
-- Result: none
DELETE FROM tingkat_change WHERE tingkat_change.id < ?1
