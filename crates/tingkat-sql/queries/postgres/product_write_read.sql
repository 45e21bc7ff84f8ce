-- A product as it is now, which stays so until the transaction ends.
--
-- Parameters
--   $1 text  id
-- Result: one row, or none if there is no such product
--   currency                     text: ISO 4217
--   regular_price, member_price  bigint
--   stock_quantity               bigint
--   version                      bigint
--   updated_at                   bigint: microseconds since 1970
SELECT
  product.currency::text AS currency,
  product.regular_price,
  product.member_price,
  product.stock_quantity,
  product.version,
  (extract(epoch FROM product.updated_at) * 1000000)::bigint AS updated_at
FROM product
WHERE product.id = $1
FOR UPDATE
