-- How many products are on sale in categories and what is under them.
--
-- Parameters
--   ?1 text  ids of categories: a JSON array of texts
-- Result: one row per id, in any order
--   id          text
--   products    integer: each counts once, 0 where there is no such category that is shown
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
  FROM json_each(?1) AS wanted
  JOIN shown ON shown.id = wanted.value
  UNION ALL
  SELECT branch.root, shown.id
  FROM branch
  JOIN shown ON shown.parent_id = branch.id
)
SELECT
  wanted.value AS id,
  (
    SELECT count(DISTINCT product.id)
    FROM branch
    JOIN product_category ON product_category.category_id = branch.id
    JOIN product ON product.id = product_category.product_id
    WHERE branch.root = wanted.value AND product.status = 'active'
  ) AS products,
  (
    SELECT json_group_array(branch.id ORDER BY branch.id)
    FROM branch
    WHERE branch.root = wanted.value
  ) AS categories
FROM json_each(?1) AS wanted
