-- What to keep at hand: the items that changed last.
SELECT
  item.item_id::text AS key,
  0::bigint AS score,
  item.code AS sku,
  lower(item.code) AS slug,
  '[]' AS variant_skus
FROM item
WHERE item.is_shown
ORDER BY item.changed_at DESC, item.item_id
LIMIT (
  SELECT (given.document::json ->> 'most')::bigint FROM unnest($1::text[]) AS given (document)
)
