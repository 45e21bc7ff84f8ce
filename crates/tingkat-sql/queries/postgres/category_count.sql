-- How many products are on sale in categories and what is under them.
--
-- Parameters
--   $1 text[]  ids of categories
-- Result: one row per id, in any order
--   id          text
--   products    bigint: each counts once, 0 where there is no such category that is shown
--   categories  text: JSON [text]: the categories whose members were counted
WITH RECURSIVE
-- The tree as it is shown: nothing under a hidden category, nor deeper than this.
shown AS (
  SELECT category.id, category.parent_id, 1 AS level
  FROM category
  WHERE category.parent_id IS NULL AND category.active
  UNION ALL
  SELECT category.id, category.parent_id, shown.level + 1
  FROM shown
  JOIN category ON category.parent_id = shown.id AND category.active
  WHERE shown.level < 33
),
branch AS (
  SELECT shown.id AS root, shown.id
  FROM shown
  WHERE shown.id = ANY ($1::text[])
  UNION ALL
  SELECT branch.root, shown.id
  FROM branch
  JOIN shown ON shown.parent_id = branch.id
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
