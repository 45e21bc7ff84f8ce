-- This store has no postcodes.
SELECT '' AS code, '[]' AS cities, '' AS state_code, '' AS state_name, 'west' AS zone
WHERE false
