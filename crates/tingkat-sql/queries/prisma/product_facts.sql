-- What operators want to know about the products.
--
-- Parameters
--   $1 text[]  one JSON object with
--     within: bigint: a promotion that ends within so many microseconds is about to end
-- Result: one row per fact: active, low_stock, promotions_about_to_end
--   name   text
--   value  bigint
WITH given AS MATERIALIZED (
  SELECT now() AT TIME ZONE 'UTC' AS since,
    now() AT TIME ZONE 'UTC' + asked.within * interval '1 microsecond' AS until
  FROM unnest($1::text[]) AS parameter (document)
  CROSS JOIN json_to_record(parameter.document::json) AS asked (within bigint)
),
counted AS (
  SELECT
    count(*) AS active,
    count(*) FILTER (WHERE products."stockQuantity" <= products."lowStockAlert") AS low_stock,
    count(*) FILTER (
      WHERE products."isPromotional"
        AND products."promotionalPrice" IS NOT NULL
        AND products."promotionEndDate" > given.since
        AND products."promotionEndDate" <= given.until
    ) AS ending
  FROM given
  JOIN products ON products.status::text IN ('ACTIVE', 'OUT_OF_STOCK')
)
SELECT fact.name, fact.value
FROM counted
CROSS JOIN LATERAL (
  VALUES
    ('active'::text, counted.active),
    ('low_stock', counted.low_stock),
    ('promotions_about_to_end', counted.ending)
) AS fact (name, value)
