-- Pages of the products on sale: all of them, those of a category, the featured, the promoted.
-- What is out of stock is on sale.
--
-- Parameters
--   $1 text[]  wanted pages, each a JSON object with
--     key: text, given back
--     category: text or null: in this one or one under it
--     featured, promoted: boolean or null: whether they are, or both
--     sort: text: newest, price, -price, name
--     after: [bigint, bigint, text, text] or null: the last item of the page before, as `items` has it
-- Result: one row per wanted page, in any order
--   key         text
--   items       text: JSON [[bigint, bigint, text, text]], at most 101, in order: the numbers and the
--               name that it is sorted by, and the product's id
--   categories  text: JSON [text]: the categories whose members may be on the page
--   changes_in  bigint or null: microseconds until a promotion begins or ends that may change it
WITH RECURSIVE wanted AS MATERIALIZED (
  SELECT page.*
  FROM unnest($1::text[]) AS given (page)
  CROSS JOIN json_to_record(given.page::json) AS page (
    key text,
    category text,
    featured boolean,
    promoted boolean,
    sort text,
    after json
  )
),
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
  SELECT wanted.key, shown.id
  FROM wanted
  JOIN shown ON shown.id = wanted.category
  UNION ALL
  SELECT branch.key, shown.id
  FROM branch
  JOIN shown ON shown.parent_id = branch.id
),
sold AS NOT MATERIALIZED (
  SELECT
    products.id,
    products.name,
    products.featured,
    (extract(epoch FROM least(greatest(products."createdAt", '0001-01-01'), '9999-12-30'))
      * 1000000)::bigint AS created_at,
    products."regularPrice" AS regular_price,
    CASE WHEN products."isPromotional" THEN products."promotionalPrice" END AS promotional_price,
    products."promotionStartDate" AT TIME ZONE 'UTC' AS promotion_starts_at,
    products."promotionEndDate" AT TIME ZONE 'UTC' AS promotion_ends_at,
    -- A promotion that costs more than the regular price changes nothing.
    products."isPromotional"
      AND coalesce(products."promotionalPrice" < products."regularPrice", false)
      AND coalesce(products."promotionStartDate" AT TIME ZONE 'UTC' <= now(), true)
      AND coalesce(products."promotionEndDate" AT TIME ZONE 'UTC' > now(), true) AS is_promoted
  FROM products
  WHERE products.status::text IN ('ACTIVE', 'OUT_OF_STOCK')
    -- NaN is no price, and what has none can not be shown.
    AND abs(products."regularPrice") < 1e15
    AND abs(products."memberPrice") < 1e15
)
SELECT
  wanted.key,
  (
    SELECT coalesce(
      json_agg(
        json_build_array(place.first, place.second, place.name, place.id)
        ORDER BY place.first, place.second, place.name COLLATE "C", place.id
      ),
      '[]'
    )
    FROM (
      SELECT placed.first, placed.second, placed.name, placed.id
      FROM (
        SELECT
          CASE wanted.sort
            WHEN 'price' THEN (
              CASE WHEN product.is_promoted THEN product.promotional_price ELSE product.regular_price END
              * 100)::bigint
            WHEN '-price' THEN -(
              CASE WHEN product.is_promoted THEN product.promotional_price ELSE product.regular_price END
              * 100)::bigint
            WHEN 'newest' THEN -product.created_at
            ELSE 0
          END AS first,
          0::bigint AS second,
          CASE wanted.sort
            WHEN 'name' THEN lower(left(product.name, 100) COLLATE "C")
            ELSE ''
          END AS name,
          product.id::text COLLATE "C" AS id
        FROM (
          -- Each page takes the way that looks at the fewest products.
          SELECT sold.*
          FROM sold
          WHERE wanted.category IS NULL
            AND wanted.featured IS NOT TRUE
            AND wanted.promoted IS NOT TRUE
          UNION ALL
          SELECT sold.*
          FROM sold
          WHERE wanted.category IS NULL AND wanted.featured AND sold.featured
          UNION ALL
          SELECT sold.*
          FROM sold
          WHERE wanted.category IS NULL
            AND wanted.featured IS NOT TRUE
            AND wanted.promoted
            AND sold.promotional_price < sold.regular_price
          UNION ALL
          SELECT sold.*
          FROM sold
          -- How many they are the planner can not know: as an array they are searched for in the index.
          WHERE sold.id = ANY (ARRAY(
            SELECT product_categories."productId"
            FROM branch
            JOIN product_categories ON product_categories."categoryId" = branch.id
            WHERE branch.key = wanted.key
          ))
        ) AS product
        WHERE (wanted.featured IS NULL OR product.featured = wanted.featured)
          AND (wanted.promoted IS NULL OR product.is_promoted = wanted.promoted)
      ) AS placed
      WHERE wanted.after IS NULL
        OR (placed.first, placed.second, placed.name COLLATE "C", placed.id) > (
          (wanted.after ->> 0)::bigint, (wanted.after ->> 1)::bigint,
          wanted.after ->> 2, wanted.after ->> 3
        )
      ORDER BY placed.first, placed.second, placed.name COLLATE "C", placed.id
      LIMIT 101
    ) AS place
  )::text AS items,
  (
    SELECT coalesce(json_agg(branch.id ORDER BY branch.id COLLATE "C"), '[]')
    FROM branch
    WHERE branch.key = wanted.key
  )::text AS categories,
  (
    SELECT (extract(epoch FROM min(turn.at) - now()) * 1000000)::bigint
    FROM sold AS product
    CROSS JOIN LATERAL (
      VALUES (product.promotion_starts_at), (product.promotion_ends_at)
    ) AS turn (at)
    WHERE (wanted.promoted IS NOT NULL OR wanted.sort IN ('price', '-price'))
      AND product.promotional_price < product.regular_price
      AND turn.at > now()
      AND turn.at < '9999-12-30'
      AND (wanted.featured IS NULL OR product.featured = wanted.featured)
      AND (
        wanted.category IS NULL
        OR product.id IN (
          SELECT product_categories."productId"
          FROM branch
          JOIN product_categories ON product_categories."categoryId" = branch.id
          WHERE branch.key = wanted.key
        )
      )
  ) AS changes_in
FROM wanted
