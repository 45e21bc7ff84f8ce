-- This store has no states.
SELECT '' AS code, '' AS name, 'west' AS zone
WHERE false
