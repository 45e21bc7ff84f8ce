-- As product_list.sql, the most popular first. What was bought, put into carts and wished for is
-- counted anew with each load, and not followed: a page that is asked for is loaded again after a
-- few minutes.
-- Carts and wishes have no date, so that the window is for orders alone.
--
-- Parameters
--   $1 text[]  wanted pages, each a JSON object with
--     key: text, given back
--     category: text or null: in this one or one under it
--     featured, promoted: boolean or null: whether they are, or both
--     after: [bigint, bigint, text, text] or null: the last item of the page before, as `items` has it
--     orders, carts, wishes: bigint: what a line counts for popularity
--     window: bigint: for how many microseconds back it counts
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
    after json,
    orders bigint,
    carts bigint,
    wishes bigint,
    "window" bigint
  )
),
branch AS (
  SELECT wanted.key, categories.id
  FROM wanted
  JOIN categories ON categories.id = wanted.category
  UNION
  SELECT branch.key, categories.id
  FROM branch
  JOIN categories ON categories."parentId" = branch.id
),
line AS (
  SELECT wanted.key, order_items."productId" AS product_id, wanted.orders AS points
  FROM wanted
  JOIN orders
    ON orders."createdAt" >= (now() - wanted."window" * interval '1 microsecond') AT TIME ZONE 'UTC'
  JOIN order_items ON order_items."orderId" = orders.id
  UNION ALL
  SELECT wanted.key, cart_items."productId", wanted.carts AS points
  FROM wanted
  CROSS JOIN cart_items
  UNION ALL
  SELECT wanted.key, wishlist_items."productId", wanted.wishes AS points
  FROM wanted
  CROSS JOIN wishlist_items
),
popular AS (
  SELECT line.key, line.product_id, sum(line.points)::bigint AS score
  FROM line
  GROUP BY line.key, line.product_id
),
sold AS (
  SELECT
    products.id,
    products.name,
    products.featured,
    (extract(epoch FROM products."createdAt") * 1000000)::bigint AS created_at,
    (products."regularPrice" * 100)::bigint AS regular_price,
    (products."promotionalPrice" * 100)::bigint AS promotional_price,
    products."promotionStartDate" AT TIME ZONE 'UTC' AS promotion_starts_at,
    products."promotionEndDate" AT TIME ZONE 'UTC' AS promotion_ends_at,
    -- A promotion that costs more than the regular price changes nothing.
    products."isPromotional"
      AND coalesce(products."promotionalPrice" < products."regularPrice", false) AS has_promotion,
    products."isPromotional"
      AND coalesce(products."promotionalPrice" < products."regularPrice", false)
      AND coalesce(products."promotionStartDate" AT TIME ZONE 'UTC' <= now(), true)
      AND coalesce(products."promotionEndDate" AT TIME ZONE 'UTC' > now(), true) AS is_promoted
  FROM products
  WHERE products.status::text IN ('ACTIVE', 'OUT_OF_STOCK')
),
matching AS (
  SELECT wanted.key, wanted.after, wanted.promoted, sold.*
  FROM wanted
  JOIN sold ON wanted.featured IS NULL OR sold.featured = wanted.featured
  WHERE wanted.category IS NULL
    OR EXISTS (
      SELECT FROM branch
      JOIN product_categories ON product_categories."categoryId" = branch.id
      WHERE branch.key = wanted.key AND product_categories."productId" = sold.id
    )
),
placed AS (
  SELECT
    matching.key,
    matching.after,
    -coalesce(popular.score, 0) AS first,
    -matching.created_at AS second,
    '' AS name,
    matching.id::text COLLATE "C" AS id
  FROM matching
  LEFT JOIN popular ON popular.key = matching.key AND popular.product_id = matching.id
  WHERE matching.promoted IS NULL OR matching.is_promoted = matching.promoted
),
ranked AS (
  SELECT
    placed.*,
    row_number() OVER (
      PARTITION BY placed.key ORDER BY placed.first, placed.second, placed.name, placed.id
    ) AS rank
  FROM placed
  WHERE placed.after IS NULL
    OR (placed.first, placed.second, placed.name, placed.id) > (
      (placed.after ->> 0)::bigint, (placed.after ->> 1)::bigint, placed.after ->> 2, placed.after ->> 3
    )
)
SELECT
  wanted.key,
  (
    SELECT coalesce(
      json_agg(
        json_build_array(ranked.first, ranked.second, ranked.name, ranked.id) ORDER BY ranked.rank
      ),
      '[]'
    )
    FROM ranked
    WHERE ranked.key = wanted.key AND ranked.rank <= 101
  )::text AS items,
  (
    SELECT coalesce(json_agg(branch.id ORDER BY branch.id COLLATE "C"), '[]')
    FROM branch
    WHERE branch.key = wanted.key
  )::text AS categories,
  (
    SELECT (extract(epoch FROM min(turn.at) - now()) * 1000000)::bigint
    FROM matching
    CROSS JOIN LATERAL (
      VALUES (matching.promotion_starts_at), (matching.promotion_ends_at)
    ) AS turn (at)
    WHERE matching.key = wanted.key
      AND matching.has_promotion
      AND turn.at > now()
      AND wanted.promoted IS NOT NULL
  ) AS changes_in
FROM wanted
