-- What a changed row of `item_photo` writes: the product that shows it.
SELECT 'product:' || item_id AS dep, jsonb_build_array(position, path) AS seen FROM rows
