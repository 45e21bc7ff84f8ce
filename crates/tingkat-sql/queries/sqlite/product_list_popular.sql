-- As product_list.sql, the most popular first. What was bought, put into carts and wished for is
-- counted anew with each load, and not followed: a page that is asked for is loaded again after a
-- few minutes.
--
-- Parameters
--   ?1 text  wanted pages: a JSON array of texts, each a JSON object with
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
--   changes_in  integer or null: microseconds until a promotion begins or ends that may change it
WITH RECURSIVE wanted AS MATERIALIZED (
  SELECT
    given.value ->> 'key' AS key,
    given.value ->> 'category' AS category,
    given.value ->> 'featured' AS featured,
    given.value ->> 'promoted' AS promoted,
    given.value ->> '$.after[0]' AS after_first,
    given.value ->> '$.after[1]' AS after_second,
    given.value ->> '$.after[2]' AS after_name,
    given.value ->> '$.after[3]' AS after_id,
    given.value ->> 'orders' AS orders,
    given.value ->> 'carts' AS carts,
    given.value ->> 'wishes' AS wishes,
    (SELECT CAST(unixepoch('subsec') * 1000 AS integer) * 1000) AS now,
    given.value ->> 'window' AS reach
  FROM json_each(?1) AS given
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
  JOIN orders ON orders.placed_at >= wanted.now - wanted.reach
  JOIN order_line ON order_line.order_id = orders.id
  UNION ALL
  SELECT wanted.key, cart_line.product_id, wanted.carts AS points
  FROM wanted
  JOIN cart_line ON cart_line.added_at >= wanted.now - wanted.reach
  UNION ALL
  SELECT wanted.key, wishlist_line.product_id, wanted.wishes AS points
  FROM wanted
  JOIN wishlist_line ON wishlist_line.added_at >= wanted.now - wanted.reach
),
popular AS MATERIALIZED (
  SELECT line.key, line.product_id, sum(line.points) AS score
  FROM line
  GROUP BY line.key, line.product_id
),
member AS MATERIALIZED (
  SELECT DISTINCT branch.key, product_category.product_id
  FROM branch
  JOIN product_category ON product_category.category_id = branch.id
),
matching AS MATERIALIZED (
  SELECT
    wanted.*,
    product.id,
    product.name,
    product.created_at,
    product.regular_price,
    product.promotional_price,
    product.promotion_starts_at,
    product.promotion_ends_at,
    -- A promotion that costs more than the regular price changes nothing.
    coalesce(product.promotional_price < product.regular_price, 0) AS has_promotion,
    coalesce(product.promotional_price < product.regular_price, 0)
      AND coalesce(product.promotion_starts_at <= wanted.now, 1)
      AND coalesce(product.promotion_ends_at > wanted.now, 1) AS is_promoted
  FROM wanted
  JOIN product ON product.status = 'active'
    AND (wanted.featured IS NULL OR product.featured = wanted.featured)
  WHERE wanted.category IS NULL
    OR (wanted.key, product.id) IN (SELECT member.key, member.product_id FROM member)
),
placed AS (
  SELECT
    matching.*,
    -coalesce(popular.score, 0) AS first,
    -matching.created_at AS second,
    '' AS sorted_name
  FROM matching
  LEFT JOIN popular ON popular.key = matching.key AND popular.product_id = matching.id
  WHERE matching.promoted IS NULL OR matching.is_promoted = matching.promoted
),
ranked AS MATERIALIZED (
  SELECT
    placed.key,
    placed.first,
    placed.second,
    placed.sorted_name,
    placed.id,
    row_number() OVER (
      PARTITION BY placed.key ORDER BY placed.first, placed.second, placed.sorted_name, placed.id
    ) AS rank
  FROM placed
  WHERE placed.after_id IS NULL
    OR (placed.first, placed.second, placed.sorted_name, placed.id)
      > (placed.after_first, placed.after_second, placed.after_name, placed.after_id)
)
SELECT
  wanted.key,
  (
    SELECT json_group_array(
      json_array(ranked.first, ranked.second, ranked.sorted_name, ranked.id) ORDER BY ranked.rank
    )
    FROM ranked
    WHERE ranked.key = wanted.key AND ranked.rank <= 101
  ) AS items,
  (
    SELECT json_group_array(branch.id ORDER BY branch.id)
    FROM branch
    WHERE branch.key = wanted.key
  ) AS categories,
  (
    SELECT min(turn.at) - wanted.now
    FROM (
      SELECT matching.key, matching.promotion_starts_at AS at
      FROM matching
      WHERE matching.has_promotion
      UNION ALL
      SELECT matching.key, matching.promotion_ends_at AS at
      FROM matching
      WHERE matching.has_promotion
    ) AS turn
    WHERE turn.key = wanted.key
      AND turn.at > wanted.now
      AND wanted.promoted IS NOT NULL
  ) AS changes_in
FROM wanted
