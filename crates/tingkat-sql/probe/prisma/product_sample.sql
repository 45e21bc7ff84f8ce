-- Some products on sale.
--
-- Parameters
--   $1 text[]  how many at most
-- Result: one row per product
--   id  text
SELECT products.id::text AS id FROM products WHERE products.status::text = 'ACTIVE' ORDER BY products.id
LIMIT (SELECT parameter.most::bigint FROM unnest($1::text[]) AS parameter (most))
