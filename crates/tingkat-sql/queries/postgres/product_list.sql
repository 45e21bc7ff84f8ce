-- Pages of the products on sale: all of them, those of a category, the featured, the promoted.
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
sold AS NOT MATERIALIZED (
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
    coalesce(product.promotional_price < product.regular_price, false)
      AND coalesce(product.promotion_starts_at <= now(), true)
      AND coalesce(product.promotion_ends_at > now(), true) AS is_promoted
  FROM product
  WHERE product.status = 'active'
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
            WHEN 'price' THEN
              CASE WHEN product.is_promoted THEN product.promotional_price ELSE product.regular_price END
            WHEN '-price' THEN
              -CASE WHEN product.is_promoted THEN product.promotional_price ELSE product.regular_price END
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
          -- How many they are the planner can not know: as arrays they are searched for in indexes.
          WHERE sold.id = ANY (ARRAY(
            SELECT product_category.product_id
            FROM product_category
            WHERE product_category.category_id = ANY (ARRAY(
              SELECT branch.id FROM branch WHERE branch.key = wanted.key
            ))
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
      AND (wanted.featured IS NULL OR product.featured = wanted.featured)
      AND (
        wanted.category IS NULL
        OR product.id IN (
          SELECT product_category.product_id
          FROM product_category
          WHERE product_category.category_id = ANY (ARRAY(
            SELECT branch.id FROM branch WHERE branch.key = wanted.key
          ))
        )
      )
  ) AS changes_in
FROM wanted
