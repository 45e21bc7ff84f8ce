-- The postcodes where most is delivered and most customers live.
--
-- Parameters
--   ?1 text  a JSON array of one text, a JSON object with
--     deliveries, customers: integer: what an order and a customer count
--     window: integer: for how many microseconds back orders count
--     most: integer: how many are wanted
-- Result: one row per postcode, in order
--   key    text: its code
--   score  integer
WITH given AS MATERIALIZED (
  SELECT
    parameter.value ->> 'deliveries' AS deliveries,
    parameter.value ->> 'customers' AS customers,
    parameter.value ->> 'most' AS most,
    CAST(unixepoch('subsec') * 1000 AS integer) * 1000 - (parameter.value ->> 'window') AS since
  FROM json_each(?1) AS parameter
),
line AS (
  SELECT orders.delivery_postcode AS code, given.deliveries AS points
  FROM given
  JOIN orders ON orders.placed_at >= given.since AND orders.delivery_postcode IS NOT NULL
  UNION ALL
  SELECT customer.postcode AS code, given.customers AS points
  FROM given
  JOIN customer ON customer.postcode IS NOT NULL
)
SELECT line.code AS key, sum(line.points) AS score
FROM line
WHERE EXISTS (SELECT 1 FROM postcode WHERE postcode.code = line.code)
GROUP BY line.code
HAVING sum(line.points) > 0
ORDER BY sum(line.points) DESC, line.code
LIMIT (SELECT given.most FROM given)
