-- Which items have these names in addresses.
SELECT lower(item.code) AS slug, item.item_id::text AS id
FROM item
WHERE lower(item.code) = ANY ($1::text[])
