-- What a changed row of `categories` writes.
--
-- Parameters: none
-- Result: one row per row of `rows` and dep
--   dep   text
--   seen  jsonb: what of the row this dep rests on
SELECT 'category:' || id AS dep, jsonb_build_array("parentId", slug, name) AS seen FROM rows
UNION ALL
SELECT 'categories.tree', jsonb_build_array(id, "parentId", slug, name) FROM rows
