-- Adds the categories of the demo store.
--
-- Parameters
--   $1 text  rows: a JSON array of objects with
--     id, slug, name: text
--     parent_id: text or null
-- Result: none
INSERT INTO category (
  id, parent_id, slug, name
)
SELECT
  given.id,
  given.parent_id,
  given.slug,
  given.name
FROM json_to_recordset($1::json) AS given (
  id text,
  parent_id text,
  slug text,
  name text
)
