-- All categories.
--
-- Parameters: none
-- Result: one row per category, in any order
--   id         text
--   parent_id  text or null
--   slug, name  text
--   active     integer: 0 or 1, whether it is shown, with what is under it
SELECT category.id, category.parent_id, category.slug, category.name, category.active
FROM category
