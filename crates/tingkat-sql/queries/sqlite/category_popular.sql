-- The categories that are shown, those with the most products on sale first.
--
-- Parameters
--   ?1 text  a JSON array of one text, a JSON object with
--     most: integer: how many are wanted
-- Result: one row per category, in order
--   key    text: its id
--   score  integer: how many products of it are on sale, or 0
WITH RECURSIVE
-- The tree as it is shown: nothing under a hidden category, nor deeper than this.
shown AS (
  SELECT category.id, 1 AS level
  FROM category
  WHERE category.parent_id IS NULL AND category.active
  UNION ALL
  SELECT category.id, shown.level + 1
  FROM shown
  JOIN category ON category.parent_id = shown.id AND category.active
  WHERE shown.level < 33
)
SELECT shown.id AS key, count(product.id) AS score
FROM shown
LEFT JOIN product_category ON product_category.category_id = shown.id
LEFT JOIN product ON product.id = product_category.product_id AND product.status = 'active'
GROUP BY shown.id
ORDER BY count(product.id) DESC, shown.id
LIMIT (SELECT parameter.value ->> 'most' FROM json_each(?1) AS parameter)
