-- The categories with the most products on sale.
--
-- Parameters
--   $1 text[]  one JSON object with
--     most: bigint: how many are wanted
-- Result: one row per category, in order
--   key    text: its id
--   score  bigint: how many products of it are on sale
SELECT categories.id::text AS key, count(*) AS score
FROM categories
JOIN product_categories ON product_categories."categoryId" = categories.id
JOIN products
  ON products.id = product_categories."productId"
  AND products.status::text IN ('ACTIVE', 'OUT_OF_STOCK')
GROUP BY categories.id
ORDER BY count(*) DESC, categories.id COLLATE "C"
LIMIT (
  SELECT (parameter.document::json ->> 'most')::bigint
  FROM unnest($1::text[]) AS parameter (document)
)
