-- The products that customers want most. Without any activity, those that are featured.
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
    now() - asked."window" * interval '1 microsecond' AS since
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
  SELECT order_line.product_id, given.orders AS points
  FROM given
  JOIN orders ON orders.placed_at >= given.since
  JOIN order_line ON order_line.order_id = orders.id
  UNION ALL
  SELECT cart_line.product_id, given.carts AS points
  FROM given
  JOIN cart_line ON cart_line.added_at >= given.since
  UNION ALL
  SELECT wishlist_line.product_id, given.wishes AS points
  FROM given
  JOIN wishlist_line ON wishlist_line.added_at >= given.since
),
scored AS MATERIALIZED (
  SELECT product.id, product.created_at, sum(line.points)::bigint AS score
  FROM line
  JOIN product ON product.id = line.product_id AND product.status = 'active'
  GROUP BY product.id, product.created_at
  HAVING sum(line.points) > 0
),
ranked AS (
  SELECT scored.id, scored.created_at, scored.score
  FROM scored
  UNION ALL
  SELECT product.id, product.created_at, 0 AS score
  FROM product
  WHERE product.status = 'active' AND product.featured AND NOT EXISTS (SELECT FROM scored)
),
wanted AS MATERIALIZED (
  SELECT ranked.id, ranked.created_at, ranked.score
  FROM ranked
  ORDER BY ranked.score DESC, ranked.created_at DESC, ranked.id COLLATE "C"
  LIMIT (SELECT given.most FROM given)
)
SELECT
  wanted.id AS key,
  wanted.score,
  product.sku,
  product.slug,
  coalesce((
    SELECT json_agg(product_variant.sku ORDER BY product_variant.sku COLLATE "C")
    FROM product_variant
    WHERE product_variant.product_id = wanted.id
  ), '[]')::text AS variant_skus
FROM wanted
JOIN product ON product.id = wanted.id
ORDER BY wanted.score DESC, wanted.created_at DESC, wanted.id COLLATE "C"
