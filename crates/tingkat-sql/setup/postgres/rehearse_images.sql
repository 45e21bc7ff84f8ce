-- The row as it was, and as it is in the copy.
--
-- Parameters: none
-- Result: a row per image
--   image  text: JSON
SELECT to_jsonb(one)::text AS image FROM pg_temp.tingkat_row AS one
UNION ALL
SELECT to_jsonb(one)::text AS image FROM pg_temp.tingkat_rehearsal AS one
