-- Adds the categories of the demo store.
--
-- Parameters
--   ?1 text  rows: a JSON array of objects with
--     id, slug, name: text
--     parent_id: text or null
-- Result: none
INSERT INTO category (
  id, parent_id, slug, name
)
SELECT
  given.value ->> 'id',
  given.value ->> 'parent_id',
  given.value ->> 'slug',
  given.value ->> 'name'
FROM json_each(?1) AS given
