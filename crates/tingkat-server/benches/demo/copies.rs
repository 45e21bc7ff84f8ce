//! More products than the demo store has.

/// The statement that adds as many copies of one product, with the ids, skus and slugs `b1`, `b2` and so
/// on.
pub(crate) fn copies(count: usize) -> String {
    format!(
        "INSERT INTO product SELECT (jsonb_populate_record(product, jsonb_build_object( \
         'id', 'b' || n, 'sku', 'b' || n, 'slug', 'b' || n))).* \
         FROM product, generate_series(1, {count}) AS n WHERE product.id = '7'; ANALYZE product;"
    )
}
