-- All categories. All of them are shown.
--
-- Parameters: none
-- Result: one row per category, in any order
--   id         text
--   parent_id  text or null
--   slug, name  text
--   active     boolean: whether it is shown, with what is under it
SELECT
  categories.id::text AS id,
  categories."parentId"::text AS parent_id,
  categories.slug::text AS slug,
  categories.name::text AS name,
  true AS active
FROM categories
