-- Some categories that are under no other and are shown.
--
-- Parameters
--   $1 text[]  how many at most
-- Result: one row per category
--   id, slug, name  text
SELECT categories.id::text AS id, categories.slug::text AS slug, categories.name::text AS name
FROM categories
WHERE categories."parentId" IS NULL
ORDER BY categories.id
LIMIT (SELECT parameter.most::bigint FROM unnest($1::text[]) AS parameter (most))
