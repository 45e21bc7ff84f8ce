-- An item that is about to be written, locked.
SELECT
  'MYR' AS currency,
  (item.price * 100)::bigint AS regular_price,
  (item.price * 100)::bigint AS member_price,
  item.on_hand::bigint AS stock_quantity,
  hashtextextended(jsonb_build_array(item.code, item.title, item.price, item.on_hand,
    item.is_shown, item.changed_at)::text, 0) & 9007199254740991 AS version,
  (extract(epoch FROM item.changed_at) * 1000000)::bigint AS updated_at
FROM item
WHERE item.item_id::text = $1
FOR UPDATE
