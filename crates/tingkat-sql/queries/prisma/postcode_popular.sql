-- The postcodes where most is delivered and most customers live.
--
-- Parameters
--   $1 text[]  one JSON object with
--     deliveries, customers: bigint: what an order and a customer count
--     window: bigint: for how many microseconds back orders count
--     most: bigint: how many are wanted
-- Result: one row per postcode, in order
--   key    text: its code
--   score  bigint
WITH given AS MATERIALIZED (
  SELECT asked.deliveries, asked.customers, asked.most,
    (now() - asked."window" * interval '1 microsecond') AT TIME ZONE 'UTC' AS since
  FROM unnest($1::text[]) AS parameter (document)
  CROSS JOIN json_to_record(parameter.document::json) AS asked (
    deliveries bigint,
    customers bigint,
    "window" bigint,
    most bigint
  )
),
line AS (
  SELECT addresses."postalCode" AS code, given.deliveries AS points
  FROM given
  JOIN orders ON orders."createdAt" >= given.since
  JOIN addresses ON addresses.id = orders."shippingAddressId"
  UNION ALL
  SELECT addresses."postalCode" AS code, given.customers AS points
  FROM given
  JOIN addresses ON addresses."userId" IS NOT NULL
)
SELECT line.code AS key, sum(line.points)::bigint AS score
FROM line
WHERE EXISTS (SELECT FROM malaysian_postcodes AS known WHERE known.postcode = line.code)
GROUP BY line.code
HAVING sum(line.points) > 0
ORDER BY sum(line.points) DESC, line.code COLLATE "C"
LIMIT (SELECT given.most FROM given)
