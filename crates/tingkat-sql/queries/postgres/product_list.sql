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
branch AS (
  SELECT wanted.key, category.id
  FROM wanted
  JOIN category ON category.id = wanted.category AND category.active
  UNION
  SELECT branch.key, category.id
  FROM branch
  JOIN category ON category.parent_id = branch.id AND category.active
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
  SELECT wanted.key, wanted.sort, wanted.after, wanted.promoted, sold.*
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
    CASE matching.sort
      WHEN 'price' THEN
        CASE WHEN matching.is_promoted THEN matching.promotional_price ELSE matching.regular_price END
      WHEN '-price' THEN
        -CASE WHEN matching.is_promoted THEN matching.promotional_price ELSE matching.regular_price END
      WHEN 'newest' THEN -matching.created_at
      ELSE 0
    END AS first,
    0 AS second,
    CASE matching.sort
      WHEN 'name' THEN lower(left(matching.name, 100) COLLATE "C")
      ELSE ''
    END COLLATE "C" AS name,
    matching.id::text COLLATE "C" AS id
  FROM matching
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
      AND (wanted.promoted IS NOT NULL OR wanted.sort IN ('price', '-price'))
  ) AS changes_in
FROM wanted
