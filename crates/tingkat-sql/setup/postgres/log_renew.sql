-- Begins a new life of the log, if it has none or still this one.
--
-- Parameters
--   $1 text  the uuid that was seen; empty for none
-- Result: one row
--   is_renewed  boolean
SELECT tingkat.renew(nullif($1, '')::uuid) AS is_renewed
