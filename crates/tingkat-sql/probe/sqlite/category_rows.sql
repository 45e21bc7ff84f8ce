-- Some categories that are under no other and are shown.
--
-- Parameters
--   ?1 text  how many at most, as a JSON array of texts
-- Result: one row per category
--   id, slug, name  text
SELECT category.id, category.slug, category.name
FROM category
WHERE category.parent_id IS NULL AND category.active
ORDER BY category.id
LIMIT (SELECT CAST(value AS integer) FROM json_each(?1))
