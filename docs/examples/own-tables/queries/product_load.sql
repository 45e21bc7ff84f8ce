-- Items by number. A key that is no number is none of ours, and must not fail the others.
SELECT
  item.item_id::text AS id,
  item.code AS sku,
  lower(item.code) AS slug,
  item.title AS name,
  '' AS description,
  CASE WHEN item.is_shown THEN 'active' ELSE 'inactive' END AS status,
  'MYR' AS currency,
  (item.price * 100)::bigint AS regular_price,
  (item.price * 100)::bigint AS member_price,
  NULL::bigint AS promotional_price,
  NULL::bigint AS promotion_starts_at,
  NULL::bigint AS promotion_ends_at,
  item.on_hand::bigint AS stock_quantity,
  5::bigint AS low_stock_at,
  false AS featured,
  '[]' AS categories,
  coalesce((
    SELECT json_agg(json_build_object('url', photo.path, 'alt', '') ORDER BY photo.position)
    FROM (
      SELECT item_photo.path, item_photo.position
      FROM item_photo
      WHERE item_photo.item_id = item.item_id
      ORDER BY item_photo.position
      LIMIT 5
    ) AS photo
  ), '[]')::text AS images,
  '[]' AS variants,
  hashtextextended(jsonb_build_array(item.code, item.title, item.price, item.on_hand,
    item.is_shown, item.changed_at)::text, 0) & 9007199254740991 AS version,
  (extract(epoch FROM item.changed_at) * 1000000)::bigint AS updated_at
FROM item
WHERE item.item_id = ANY (ARRAY(
  SELECT key::bigint FROM unnest($1::text[]) AS keys (key) WHERE key ~ '^[0-9]{1,18}$'
))
