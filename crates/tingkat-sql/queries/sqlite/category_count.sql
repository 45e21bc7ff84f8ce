-- How many products are on sale in categories and what is under them.
--
-- Parameters
--   ?1 text  ids of categories: a JSON array of texts
-- Result: one row per id, in any order
--   id          text
--   products    integer: each counts once, 0 where there is no such category that is shown
--   categories  text: JSON [text]: the categories whose members were counted
WITH RECURSIVE branch AS (
  SELECT category.id AS root, category.id
  FROM json_each(?1) AS wanted
  JOIN category ON category.id = wanted.value AND category.active
  UNION
  SELECT branch.root, category.id
  FROM branch
  JOIN category ON category.parent_id = branch.id AND category.active
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
