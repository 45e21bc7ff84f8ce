-- How many products are on sale in categories and what is under them.
--
-- Parameters
--   $1 text[]  ids of categories
-- Result: one row per id, in any order
--   id          text
--   products    bigint: each counts once, 0 where there is no such category that is shown
--   categories  text: JSON [text]: the categories whose members were counted
WITH RECURSIVE branch AS (
  SELECT categories.id AS root, categories.id
  FROM categories
  WHERE categories.id = ANY ($1::text[])
  UNION
  SELECT branch.root, categories.id
  FROM branch
  JOIN categories ON categories."parentId" = branch.id
)
SELECT
  wanted.id,
  (
    SELECT count(DISTINCT products.id)
    FROM branch
    JOIN product_categories ON product_categories."categoryId" = branch.id
    JOIN products ON products.id = product_categories."productId"
    WHERE branch.root = wanted.id AND products.status::text IN ('ACTIVE', 'OUT_OF_STOCK')
  ) AS products,
  (
    SELECT coalesce(json_agg(branch.id ORDER BY branch.id COLLATE "C"), '[]')
    FROM branch
    WHERE branch.root = wanted.id
  )::text AS categories
FROM unnest($1::text[]) AS wanted (id)
