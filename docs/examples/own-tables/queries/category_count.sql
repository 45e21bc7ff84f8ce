-- This store has no categories.
SELECT wanted.id, 0::bigint AS products, '[]' AS categories
FROM unnest($1::text[]) AS wanted (id)
