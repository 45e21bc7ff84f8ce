-- Some categories that are under no other and are shown.
--
-- Parameters
--   $1 text[]  how many at most
-- Result: one row per category
--   id, slug, name  text
SELECT category.id, category.slug, category.name
FROM category
WHERE category.parent_id IS NULL AND category.active
ORDER BY category.id
LIMIT (SELECT parameter.most::bigint FROM unnest($1::text[]) AS parameter (most))
