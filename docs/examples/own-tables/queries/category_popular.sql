-- This store has no categories.
SELECT '' AS key, 0::bigint AS score
WHERE false AND '' = ANY ($1::text[])
