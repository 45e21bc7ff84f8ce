-- The categories with the most products on sale.
--
-- Parameters
--   ?1 text  a JSON array of one text, a JSON object with
--     most: integer: how many are wanted
-- Result: one row per category, in order
--   key    text: its id
--   score  integer: how many products of it are on sale
SELECT category.id AS key, count(*) AS score
FROM category
JOIN product_category ON product_category.category_id = category.id
JOIN product ON product.id = product_category.product_id AND product.status = 'active'
WHERE category.active
GROUP BY category.id
ORDER BY count(*) DESC, category.id
LIMIT (SELECT parameter.value ->> 'most' FROM json_each(?1) AS parameter)
