-- This store has no categories.
SELECT '' AS id, NULL AS parent_id, '' AS slug, '' AS name, false AS active
WHERE false
