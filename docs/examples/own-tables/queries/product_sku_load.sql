-- Which items have these codes.
SELECT item.code AS sku, item.item_id::text AS id
FROM item
WHERE item.code = ANY ($1::text[])
