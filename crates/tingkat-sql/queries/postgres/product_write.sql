-- Writes a product, unless what was read of it stands against that.
--
-- Parameters
--   $1 text              id
--   $2 bigint or null    the version that it must have
--   $3 bigint or null    the new stock
--   $4 bigint or null    how many more or fewer
--   $5 bigint or null    the new regular price
--   $6 bigint or null    the new member price
--   $7 text[]            currencies of the new prices
-- Result: one row, or none if it was not written
--   version     bigint
--   updated_at  bigint: microseconds since 1970
UPDATE product
SET
  stock_quantity = coalesce($3::bigint, product.stock_quantity + coalesce($4::bigint, 0)),
  regular_price = coalesce($5::bigint, product.regular_price),
  member_price = coalesce($6::bigint, product.member_price),
  version = product.version + 1,
  updated_at = now()
WHERE product.id = $1
  AND product.version = coalesce($2::bigint, product.version)
  AND product.currency::text = ALL ($7::text[])
  AND product.stock_quantity::numeric + coalesce($4::bigint, 0) BETWEEN 0 AND 9223372036854775807
  AND coalesce($6::bigint, product.member_price) <= coalesce($5::bigint, product.regular_price)
RETURNING
  product.version,
  (extract(epoch FROM product.updated_at) * 1000000)::bigint AS updated_at
