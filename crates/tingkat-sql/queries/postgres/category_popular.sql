-- The categories with the most products on sale.
--
-- Parameters
--   $1 text[]  one JSON object with
--     most: bigint: how many are wanted
-- Result: one row per category, in order
--   key    text: its id
--   score  bigint: how many products of it are on sale
SELECT category.id AS key, count(*) AS score
FROM category
JOIN product_category ON product_category.category_id = category.id
JOIN product ON product.id = product_category.product_id AND product.status = 'active'
WHERE category.active
GROUP BY category.id
ORDER BY count(*) DESC, category.id COLLATE "C"
LIMIT (
  SELECT (parameter.document::json ->> 'most')::bigint
  FROM unnest($1::text[]) AS parameter (document)
)
