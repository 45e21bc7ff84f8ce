-- How often the change log has a dep.
--
-- Parameters
--   $1 text[]  the dep
-- Result: one row
--   changes  bigint
SELECT count(*) AS changes FROM tingkat.change WHERE change.dep = ($1::text[])[1]
