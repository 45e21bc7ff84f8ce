-- A product, as far as a write has to know it.
--
-- Parameters
--   ?1 text  id
-- Result: one row if there is such a product, else none
--   currency                       text: ISO 4217
--   regular_price, member_price    integer: minor units
--   stock_quantity                 integer
--   version                        integer
--   updated_at                     integer: microseconds since 1970
SELECT
  product.currency,
  product.regular_price,
  product.member_price,
  product.stock_quantity,
  product.version,
  product.updated_at
FROM product
WHERE product.id = ?1
