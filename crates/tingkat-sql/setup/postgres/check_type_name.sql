-- What a type is called.
--
-- Parameters
--   $1 oid  the type
-- Result: one row
--   name  text
SELECT format_type($1, NULL) AS name
