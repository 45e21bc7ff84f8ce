-- The products that customers want most. Without any activity, those that are featured.
-- Carts and wishes have no date, so that the window is for orders alone.
--
-- Parameters
--   $1 text[]  one JSON object with
--     orders, carts, wishes: bigint: what a line counts
--     window: bigint: for how many microseconds back it counts
--     most: bigint: how many are wanted
-- Result: one row per product, in order
--   key           text: its id
--   score         bigint
--   sku, slug     text: what it is found by as well
--   variant_skus  text: JSON [text]: those of its variants
WITH given AS MATERIALIZED (
  SELECT asked.orders, asked.carts, asked.wishes, asked.most,
    (now() - asked."window" * interval '1 microsecond') AT TIME ZONE 'UTC' AS since
  FROM unnest($1::text[]) AS parameter (document)
  CROSS JOIN json_to_record(parameter.document::json) AS asked (
    orders bigint,
    carts bigint,
    wishes bigint,
    "window" bigint,
    most bigint
  )
),
line AS (
  SELECT order_items."productId" AS product_id, given.orders AS points
  FROM given
  JOIN orders ON orders."createdAt" >= given.since
  JOIN order_items ON order_items."orderId" = orders.id
  UNION ALL
  SELECT cart_items."productId", given.carts AS points
  FROM given
  CROSS JOIN cart_items
  UNION ALL
  SELECT wishlist_items."productId", given.wishes AS points
  FROM given
  CROSS JOIN wishlist_items
),
scored AS MATERIALIZED (
  SELECT products.id, products."createdAt" AS created_at, sum(line.points)::bigint AS score
  FROM line
  JOIN products ON products.id = line.product_id AND products.status::text = 'ACTIVE'
  GROUP BY products.id, products."createdAt"
  HAVING sum(line.points) > 0
),
ranked AS (
  SELECT scored.id, scored.created_at, scored.score
  FROM scored
  UNION ALL
  SELECT products.id, products."createdAt", 0 AS score
  FROM products
  WHERE products.status::text = 'ACTIVE' AND products.featured AND NOT EXISTS (SELECT FROM scored)
),
wanted AS MATERIALIZED (
  SELECT ranked.id, ranked.created_at, ranked.score
  FROM ranked
  ORDER BY ranked.score DESC, ranked.created_at DESC, ranked.id COLLATE "C"
  LIMIT (SELECT given.most FROM given)
)
SELECT
  wanted.id::text AS key,
  wanted.score,
  products.sku::text AS sku,
  products.slug::text AS slug,
  coalesce((
    SELECT json_agg(product_variants.sku ORDER BY product_variants.sku COLLATE "C")
    FROM product_variants
    WHERE product_variants."productId" = wanted.id
  ), '[]')::text AS variant_skus
FROM wanted
JOIN products ON products.id = wanted.id
ORDER BY wanted.score DESC, wanted.created_at DESC, wanted.id COLLATE "C"
