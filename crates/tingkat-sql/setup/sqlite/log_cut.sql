-- Where a log that is too long even so is cut.
--
-- Parameters
--   ?1 integer  how many changes stay
-- Result: one row if there are more, else none
--   floor  integer: the id of the newest change that does not stay
SELECT tingkat_change.id AS floor
FROM tingkat_change
ORDER BY tingkat_change.id DESC
LIMIT 1 OFFSET ?1
