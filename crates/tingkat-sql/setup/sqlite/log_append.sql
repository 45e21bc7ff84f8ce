-- Writes changes.
--
-- Parameters
--   ?1 text  JSON [[kind, dep]]
-- Result: none
INSERT INTO tingkat_change (kind, dep)
SELECT wanted.value ->> 0, wanted.value ->> 1
FROM json_each(?1) AS wanted
