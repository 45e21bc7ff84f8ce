-- Writes a product's prices and stock.
--
-- Parameters
--   ?1 text     id
--   ?2 integer  regular price, minor units
--   ?3 integer  member price, minor units
--   ?4 integer  stock
-- Result: none
UPDATE product
SET
  regular_price = ?2,
  member_price = ?3,
  stock_quantity = ?4,
  version = product.version + 1,
  updated_at = CAST(unixepoch('subsec') * 1000 AS integer) * 1000
WHERE product.id = ?1
