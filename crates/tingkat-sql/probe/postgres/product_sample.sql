-- Some products on sale.
--
-- Parameters
--   $1 text[]  how many at most
-- Result: one row per product
--   id  text
SELECT product.id FROM product WHERE product.status = 'active' ORDER BY product.id
LIMIT (SELECT parameter.most::bigint FROM unnest($1::text[]) AS parameter (most))
