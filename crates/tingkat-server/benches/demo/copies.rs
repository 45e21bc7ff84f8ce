//! More products than the demo store has.

/// The statement that adds as many copies of one product, with the ids, skus and slugs `b1`, `b2` and so
/// on, each with the images, variants and categories of the first.
pub(crate) fn copies(count: usize) -> String {
    let children = ["product_image", "product_variant", "product_category"].map(|table| {
        // Each variant has a sku that no other one has.
        let sku = match table {
            "product_variant" => ", 'sku', 'b' || n || '-' || product_variant.sku",
            _ => "",
        };
        format!(
            "INSERT INTO {table} SELECT (jsonb_populate_record({table}, jsonb_build_object( \
             'product_id', 'b' || n{sku}))).* \
             FROM {table}, generate_series(1, {count}) AS n WHERE {table}.product_id = '7'; ANALYZE {table};"
        )
    });
    let children = children.join(" ");
    format!(
        "INSERT INTO product SELECT (jsonb_populate_record(product, jsonb_build_object( \
         'id', 'b' || n, 'sku', 'b' || n, 'slug', 'b' || n))).* \
         FROM product, generate_series(1, {count}) AS n WHERE product.id = '7'; ANALYZE product; {children}"
    )
}
