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
  SELECT categories.id, categories."parentId" AS parent_id, 1 AS level
  FROM categories
  WHERE categories."parentId" IS NULL
  UNION ALL
  SELECT categories.id, categories."parentId", shown.level + 1
  FROM shown
  JOIN categories ON categories."parentId" = shown.id
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
    SELECT count(DISTINCT products.id)
    FROM branch
    JOIN product_categories ON product_categories."categoryId" = branch.id
    JOIN products ON products.id = product_categories."productId"
    WHERE branch.root = wanted.id
      AND products.status::text IN ('ACTIVE', 'OUT_OF_STOCK')
      -- NaN is no price, and what has none can not be shown.
      AND abs(products."regularPrice") < 1e15
      AND abs(products."memberPrice") < 1e15
  ) AS products,
  (
    SELECT coalesce(json_agg(branch.id ORDER BY branch.id COLLATE "C"), '[]')
    FROM branch
    WHERE branch.root = wanted.id
  )::text AS categories
FROM unnest($1::text[]) AS wanted (id)
