-- How many products are on sale in categories and what is under them.
--
-- Parameters
--   $1 text[]  ids of categories
-- Result: one row per id, in any order
--   id          text
--   products    bigint: each counts once, 0 where there is no such category that is shown
--   categories  text: JSON [text]: the categories whose members were counted
WITH RECURSIVE branch AS (
  SELECT category.id AS root, category.id
  FROM category
  WHERE category.id = ANY ($1::text[]) AND category.active
  UNION
  SELECT branch.root, category.id
  FROM branch
  JOIN category ON category.parent_id = branch.id AND category.active
)
SELECT
  wanted.id,
  (
    SELECT count(DISTINCT product.id)
    FROM branch
    JOIN product_category ON product_category.category_id = branch.id
    JOIN product ON product.id = product_category.product_id
    WHERE branch.root = wanted.id AND product.status = 'active'
  ) AS products,
  (
    SELECT coalesce(json_agg(branch.id ORDER BY branch.id COLLATE "C"), '[]')
    FROM branch
    WHERE branch.root = wanted.id
  )::text AS categories
FROM unnest($1::text[]) AS wanted (id)
