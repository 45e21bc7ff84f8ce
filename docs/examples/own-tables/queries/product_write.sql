-- Writes stock and price, unless another version was read. There are no prices for members: $6.
UPDATE item
SET
  on_hand = coalesce($3::bigint, item.on_hand + coalesce($4::bigint, 0)),
  price = coalesce($5::bigint * 0.01, item.price),
  changed_at = now()
WHERE item.item_id::text = $1
  AND (
    $2::bigint IS NULL
    OR $2::bigint = hashtextextended(jsonb_build_array(item.code, item.title, item.price,
      item.on_hand, item.is_shown, item.changed_at)::text, 0) & 9007199254740991
  )
  AND item.on_hand + coalesce($4::bigint, 0) >= 0
  AND $6::bigint IS NULL
  AND 'MYR' = ALL ($7::text[])
RETURNING
  hashtextextended(jsonb_build_array(item.code, item.title, item.price, item.on_hand,
    item.is_shown, item.changed_at)::text, 0) & 9007199254740991 AS version,
  (extract(epoch FROM item.changed_at) * 1000000)::bigint AS updated_at
