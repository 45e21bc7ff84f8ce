-- How often the change log has a dep.
--
-- Parameters
--   ?1 text  the dep, as a JSON array of texts
-- Result: one row
--   changes  bigint
SELECT count(*) AS changes FROM tingkat_change WHERE tingkat_change.dep = json_extract(?1, '$[0]')
