-- This store has no states.
SELECT '' AS key, 0::bigint AS score
WHERE false
