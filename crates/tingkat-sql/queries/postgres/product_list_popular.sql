-- As product_list.sql, the most popular first. What was bought, put into carts and wished for is
-- counted anew with each load, and not followed: a page that is asked for is loaded again after a
-- few minutes.
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
  SELECT wanted.key, category.id
  FROM wanted
  JOIN category ON category.id = wanted.category AND category.active
  UNION
  SELECT branch.key, category.id
  FROM branch
  JOIN category ON category.parent_id = branch.id AND category.active
),
line AS (
  SELECT wanted.key, order_line.product_id, wanted.orders AS points
  FROM wanted
  JOIN orders ON orders.placed_at >= now() - wanted."window" * interval '1 microsecond'
  JOIN order_line ON order_line.order_id = orders.id
  UNION ALL
  SELECT wanted.key, cart_line.product_id, wanted.carts AS points
  FROM wanted
  JOIN cart_line ON cart_line.added_at >= now() - wanted."window" * interval '1 microsecond'
  UNION ALL
  SELECT wanted.key, wishlist_line.product_id, wanted.wishes AS points
  FROM wanted
  JOIN wishlist_line ON wishlist_line.added_at >= now() - wanted."window" * interval '1 microsecond'
),
popular AS (
  SELECT line.key, line.product_id, sum(line.points)::bigint AS score
  FROM line
  GROUP BY line.key, line.product_id
),
sold AS (
  SELECT
    product.id,
    product.name,
    product.featured,
    (extract(epoch FROM product.created_at) * 1000000)::bigint AS created_at,
    product.regular_price,
    product.promotional_price,
    product.promotion_starts_at,
    product.promotion_ends_at,
    -- A promotion that costs more than the regular price changes nothing.
    coalesce(product.promotional_price < product.regular_price, false) AS has_promotion,
    coalesce(product.promotional_price < product.regular_price, false)
      AND coalesce(product.promotion_starts_at <= now(), true)
      AND coalesce(product.promotion_ends_at > now(), true) AS is_promoted
  FROM product
  WHERE product.status = 'active'
),
matching AS (
  SELECT wanted.key, wanted.after, wanted.promoted, sold.*
  FROM wanted
  JOIN sold ON wanted.featured IS NULL OR sold.featured = wanted.featured
  WHERE wanted.category IS NULL
    OR EXISTS (
      SELECT FROM branch
      JOIN product_category ON product_category.category_id = branch.id
      WHERE branch.key = wanted.key AND product_category.product_id = sold.id
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
