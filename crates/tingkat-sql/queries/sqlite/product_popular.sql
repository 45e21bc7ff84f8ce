-- The products that customers want most. Without any activity, those that are featured.
--
-- Parameters
--   ?1 text  a JSON array of one text, a JSON object with
--     orders, carts, wishes: integer: what a line counts
--     window: integer: for how many microseconds back it counts
--     most: integer: how many are wanted
-- Result: one row per product, in order
--   key           text: its id
--   score         integer
--   sku, slug     text: what it is found by as well
--   variant_skus  text: JSON [text]: those of its variants
WITH given AS MATERIALIZED (
  SELECT
    parameter.value ->> 'orders' AS orders,
    parameter.value ->> 'carts' AS carts,
    parameter.value ->> 'wishes' AS wishes,
    parameter.value ->> 'most' AS most,
    CAST(unixepoch('subsec') * 1000 AS integer) * 1000 - (parameter.value ->> 'window') AS since
  FROM json_each(?1) AS parameter
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
  SELECT product.id, product.created_at, sum(line.points) AS score
  FROM line
  JOIN product ON product.id = line.product_id AND product.status = 'active'
  GROUP BY product.id
  HAVING sum(line.points) > 0
),
ranked AS (
  SELECT scored.id, scored.created_at, scored.score
  FROM scored
  UNION ALL
  SELECT product.id, product.created_at, 0 AS score
  FROM product
  WHERE product.status = 'active' AND product.featured AND NOT EXISTS (SELECT 1 FROM scored)
),
wanted AS MATERIALIZED (
  SELECT ranked.id, ranked.created_at, ranked.score
  FROM ranked
  ORDER BY ranked.score DESC, ranked.created_at DESC, ranked.id
  LIMIT (SELECT given.most FROM given)
)
SELECT
  wanted.id AS key,
  wanted.score,
  product.sku,
  product.slug,
  (
    SELECT json_group_array(product_variant.sku ORDER BY product_variant.sku)
    FROM product_variant
    WHERE product_variant.product_id = wanted.id
  ) AS variant_skus
FROM wanted
JOIN product ON product.id = wanted.id
ORDER BY wanted.score DESC, wanted.created_at DESC, wanted.id
