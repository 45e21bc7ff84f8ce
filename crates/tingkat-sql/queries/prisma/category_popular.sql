-- The categories that are shown, those with the most products on sale first.
--
-- Parameters
--   $1 text[]  one JSON object with
--     most: bigint: how many are wanted
-- Result: one row per category, in order
--   key    text: its id
--   score  bigint: how many products of it are on sale, or 0
WITH RECURSIVE
-- The tree as it is shown: nothing under a hidden category, nor deeper than this.
shown AS (
  SELECT categories.id, 1 AS level
  FROM categories
  WHERE categories."parentId" IS NULL
  UNION ALL
  SELECT categories.id, shown.level + 1
  FROM shown
  JOIN categories ON categories."parentId" = shown.id
  WHERE shown.level < 33
)
SELECT shown.id::text AS key, count(products.id) AS score
FROM shown
LEFT JOIN product_categories ON product_categories."categoryId" = shown.id
LEFT JOIN products
  ON products.id = product_categories."productId"
  AND products.status::text IN ('ACTIVE', 'OUT_OF_STOCK')
GROUP BY shown.id
ORDER BY count(products.id) DESC, shown.id COLLATE "C"
LIMIT (
  SELECT (parameter.document::json ->> 'most')::bigint
  FROM unnest($1::text[]) AS parameter (document)
)
