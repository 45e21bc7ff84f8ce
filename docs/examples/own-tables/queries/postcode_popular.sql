-- This store has no postcodes.
SELECT '' AS key, 0::bigint AS score
WHERE false AND '' = ANY ($1::text[])
