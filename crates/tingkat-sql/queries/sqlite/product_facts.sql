-- What operators want to know about the products.
--
-- Parameters
--   ?1 text  a JSON array of one text, a JSON object with
--     within: integer: a promotion that ends within so many microseconds is about to end
-- Result: one row per fact: active, low_stock, promotions_about_to_end
--   name   text
--   value  integer
WITH given AS MATERIALIZED (
  SELECT
    CAST(unixepoch('subsec') * 1000 AS integer) * 1000 AS since,
    parameter.value ->> 'within' AS within
  FROM json_each(?1) AS parameter
),
counted AS MATERIALIZED (
  SELECT
    count(*) AS active,
    count(*) FILTER (WHERE product.stock_quantity <= product.low_stock_at) AS low_stock,
    count(*) FILTER (
      WHERE product.promotional_price IS NOT NULL
        AND product.promotion_ends_at > given.since
        AND product.promotion_ends_at <= given.since + given.within
    ) AS ending
  FROM given
  JOIN product ON product.status = 'active'
)
SELECT 'active' AS name, counted.active AS value FROM counted
UNION ALL
SELECT 'low_stock', counted.low_stock FROM counted
UNION ALL
SELECT 'promotions_about_to_end', counted.ending FROM counted
