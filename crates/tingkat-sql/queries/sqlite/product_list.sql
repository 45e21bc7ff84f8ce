-- Pages of the products on sale: all of them, those of a category, the featured, the promoted.
--
-- Parameters
--   ?1 text  wanted pages: a JSON array of texts, each a JSON object with
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
--   changes_in  integer or null: microseconds until a promotion begins or ends that may change it
WITH RECURSIVE wanted AS MATERIALIZED (
  SELECT
    given.value ->> 'key' AS key,
    given.value ->> 'category' AS category,
    given.value ->> 'featured' AS featured,
    given.value ->> 'promoted' AS promoted,
    given.value ->> 'sort' AS sort,
    given.value ->> '$.after[0]' AS after_first,
    given.value ->> '$.after[1]' AS after_second,
    given.value ->> '$.after[2]' AS after_name,
    given.value ->> '$.after[3]' AS after_id,
    (SELECT CAST(unixepoch('subsec') * 1000 AS integer) * 1000) AS now
  FROM json_each(?1) AS given
),
-- The tree as it is shown: nothing under a hidden category, nor deeper than this.
shown AS (
  SELECT category.id, category.parent_id, 1 AS level
  FROM category
  WHERE category.parent_id IS NULL AND category.active
  UNION ALL
  SELECT category.id, category.parent_id, shown.level + 1
  FROM shown
  JOIN category ON category.parent_id = shown.id AND category.active
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
member AS MATERIALIZED (
  SELECT DISTINCT branch.key, product_category.product_id
  FROM branch
  CROSS JOIN product_category ON product_category.category_id = branch.id
),
sold AS NOT MATERIALIZED (
  SELECT
    product.id,
    product.name,
    product.featured,
    product.created_at,
    product.regular_price,
    product.promotional_price,
    product.promotion_starts_at,
    product.promotion_ends_at
  FROM product
  WHERE product.status = 'active'
)
SELECT
  wanted.key,
  (
    SELECT json_group_array(
      json_array(place.first, place.second, place.name, place.id)
      ORDER BY place.first, place.second, place.name, place.id
    )
    FROM (
      SELECT placed.first, placed.second, placed.name, placed.id
      FROM (
        SELECT
          CASE wanted.sort
            WHEN 'price' THEN iif(product.is_promoted, product.promotional_price, product.regular_price)
            WHEN '-price' THEN
              -iif(product.is_promoted, product.promotional_price, product.regular_price)
            WHEN 'newest' THEN -product.created_at
            ELSE 0
          END AS first,
          0 AS second,
          CASE wanted.sort WHEN 'name' THEN lower(substr(product.name, 1, 100)) ELSE '' END AS name,
          product.id
        FROM (
          SELECT
            way.*,
            -- A promotion that costs more than the regular price changes nothing.
            coalesce(way.promotional_price < way.regular_price, 0)
              AND coalesce(way.promotion_starts_at <= wanted.now, 1)
              AND coalesce(way.promotion_ends_at > wanted.now, 1) AS is_promoted
          FROM (
            -- Each page takes the way that looks at the fewest products.
            SELECT sold.*
            FROM sold
            WHERE wanted.category IS NULL
              AND wanted.featured IS NOT 1
              AND wanted.promoted IS NOT 1
            UNION ALL
            SELECT sold.*
            FROM sold
            WHERE wanted.category IS NULL AND wanted.featured AND sold.featured
            UNION ALL
            SELECT sold.*
            FROM sold
            WHERE wanted.category IS NULL
              AND wanted.featured IS NOT 1
              AND wanted.promoted
              AND sold.promotional_price < sold.regular_price
            UNION ALL
            SELECT sold.*
            FROM member
            CROSS JOIN sold ON sold.id = member.product_id
            WHERE member.key = wanted.key
          ) AS way
        ) AS product
        WHERE (wanted.featured IS NULL OR product.featured = wanted.featured)
          AND (wanted.promoted IS NULL OR product.is_promoted = wanted.promoted)
      ) AS placed
      WHERE wanted.after_id IS NULL
        OR (placed.first, placed.second, placed.name, placed.id)
          > (wanted.after_first, wanted.after_second, wanted.after_name, wanted.after_id)
      ORDER BY placed.first, placed.second, placed.name, placed.id
      LIMIT 101
    ) AS place
  ) AS items,
  (
    SELECT json_group_array(branch.id ORDER BY branch.id)
    FROM branch
    WHERE branch.key = wanted.key
  ) AS categories,
  (
    SELECT min(turn.at) - wanted.now
    FROM (
      SELECT sold.id, sold.featured, sold.promotion_starts_at AS at
      FROM sold
      WHERE sold.promotional_price < sold.regular_price
      UNION ALL
      SELECT sold.id, sold.featured, sold.promotion_ends_at AS at
      FROM sold
      WHERE sold.promotional_price < sold.regular_price
    ) AS turn
    WHERE (wanted.promoted IS NOT NULL OR wanted.sort IN ('price', '-price'))
      AND turn.at > wanted.now
      AND (wanted.featured IS NULL OR turn.featured = wanted.featured)
      AND (
        wanted.category IS NULL
        OR (wanted.key, turn.id) IN (SELECT member.key, member.product_id FROM member)
      )
  ) AS changes_in
FROM wanted
