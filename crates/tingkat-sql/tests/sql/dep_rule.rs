//! What a statement writes into the change log: the dep rule as a table, in SQL that both dialects
//! understand.

/// Rows of their own, beside those of the demo store.
pub(crate) const ROWS: &str = "
    INSERT INTO state (code, name, zone) VALUES ('ZZA', 'A', 'west'), ('ZZB', 'B', 'west');
    INSERT INTO postcode (code, position, city, state_code) VALUES
      ('99990', 0, 'A', 'ZZA'), ('99990', 1, 'B', 'ZZA'), ('99991', 0, 'C', 'ZZA');
    INSERT INTO category (id, parent_id, slug, name) VALUES
      ('ca', NULL, 'ca', 'A'), ('cb', 'ca', 'cb', 'B'), ('cc', NULL, 'cc', 'C');
    INSERT INTO product (id, sku, slug, name, regular_price, member_price, stock_quantity) VALUES
      ('pa', 'SA', 'la', 'A', 100, 90, 5), ('pb', 'SB', 'lb', 'B', 100, 90, 5),
      ('pc', 'SC', 'lc', 'C', 100, 90, 5);
    INSERT INTO product_category (product_id, category_id) VALUES
      ('pa', 'ca'), ('pa', 'cb'), ('pb', 'cb');
    INSERT INTO product_image (product_id, position, url) VALUES
      ('pa', 0, '/a0'), ('pa', 1, '/a1'), ('pb', 0, '/b0');
    INSERT INTO product_variant (sku, product_id, name, value, regular_price, member_price) VALUES
      ('VA', 'pa', 'size', 'S', 10, 9), ('VB', 'pb', 'size', 'S', 10, 9);
";

/// A statement, and exactly the deps that it writes, in alphabetical order.
pub(crate) type Case = (&'static str, &'static [&'static str]);

pub(crate) const CASES: &[Case] = &[
    // What only the product itself shows.
    (
        "UPDATE product SET stock_quantity = 4 WHERE id = 'pa'",
        &["product:pa"],
    ),
    (
        "UPDATE product SET low_stock_at = 4 WHERE id = 'pa'",
        &["product:pa"],
    ),
    (
        "UPDATE product SET description = 'x' WHERE id = 'pa'",
        &["product:pa"],
    ),
    (
        "UPDATE product SET version = version + 1 WHERE id = 'pa'",
        &["product:pa"],
    ),
    // What listings filter or sort by.
    (
        "UPDATE product SET name = 'x' WHERE id = 'pa'",
        &["product:pa", "products.list"],
    ),
    (
        "UPDATE product SET status = 'draft' WHERE id = 'pa'",
        &["product:pa", "products.list"],
    ),
    (
        "UPDATE product SET featured = NOT featured WHERE id = 'pa'",
        &["product:pa", "products.list"],
    ),
    (
        "UPDATE product SET currency = 'SGD' WHERE id = 'pa'",
        &["product:pa", "products.list"],
    ),
    (
        "UPDATE product SET regular_price = 99 WHERE id = 'pa'",
        &["product:pa", "products.list"],
    ),
    (
        "UPDATE product SET member_price = 89 WHERE id = 'pa'",
        &["product:pa", "products.list"],
    ),
    (
        "UPDATE product SET promotional_price = 1 WHERE id = 'pa'",
        &["product:pa", "products.list"],
    ),
    // By what a product is found, before and after.
    (
        "UPDATE product SET sku = 'SX' WHERE id = 'pa'",
        &["product.sku:SA", "product.sku:SX", "product:pa"],
    ),
    (
        "UPDATE product SET slug = 'lx' WHERE id = 'pa'",
        &["product.slug:la", "product.slug:lx", "product:pa"],
    ),
    (
        "UPDATE product SET id = 'px' WHERE id = 'pc'",
        &[
            "product.sku:SC",
            "product.slug:lc",
            "product:pc",
            "product:px",
            "products.list",
        ],
    ),
    // What changes nothing, and nobody.
    (
        "UPDATE product SET name = name, stock_quantity = 5 WHERE id = 'pa'",
        &[],
    ),
    (
        "UPDATE product SET stock_quantity = 4 WHERE id = 'nobody'",
        &[],
    ),
    ("DELETE FROM product WHERE id = 'nobody'", &[]),
    // Several rows, each by itself.
    (
        "UPDATE product SET stock_quantity = 4 WHERE id IN ('pa', 'pb')",
        &["product:pa", "product:pb"],
    ),
    (
        "UPDATE product SET stock_quantity = CASE id WHEN 'pa' THEN 4 ELSE stock_quantity END
         WHERE id IN ('pa', 'pb')",
        &["product:pa"],
    ),
    (
        "INSERT INTO product (id, sku, slug, name, regular_price, member_price)
         VALUES ('pd', 'SD', 'ld', 'D', 1, 1)",
        &[
            "product.sku:SD",
            "product.slug:ld",
            "product:pd",
            "products.list",
        ],
    ),
    (
        "DELETE FROM product WHERE id = 'pc'",
        &[
            "product.sku:SC",
            "product.slug:lc",
            "product:pc",
            "products.list",
        ],
    ),
    // With all that belongs to it.
    (
        "DELETE FROM product WHERE id = 'pa'",
        &[
            "category.members:ca",
            "category.members:cb",
            "product.sku:SA",
            "product.sku:VA",
            "product.slug:la",
            "product:pa",
            "products.list",
        ],
    ),
    (
        "INSERT INTO product_category (product_id, category_id) VALUES ('pc', 'cc')",
        &["category.members:cc", "product:pc"],
    ),
    (
        "DELETE FROM product_category WHERE product_id = 'pb'",
        &["category.members:cb", "product:pb"],
    ),
    (
        "UPDATE product_category SET category_id = 'cc' WHERE product_id = 'pb'",
        &["category.members:cb", "category.members:cc", "product:pb"],
    ),
    (
        "UPDATE product_category SET product_id = 'pc' WHERE product_id = 'pb'",
        &["category.members:cb", "product:pb", "product:pc"],
    ),
    ("UPDATE product_category SET product_id = product_id", &[]),
    (
        "UPDATE category SET name = 'x' WHERE id = 'cb'",
        &["categories.tree", "category:cb"],
    ),
    (
        "UPDATE category SET slug = 'x' WHERE id = 'cb'",
        &["categories.tree", "category:cb"],
    ),
    (
        "UPDATE category SET parent_id = 'cc' WHERE id = 'cb'",
        &["categories.tree", "category:cb"],
    ),
    (
        "UPDATE category SET active = NOT active WHERE id = 'cb'",
        &["categories.tree", "category:cb"],
    ),
    (
        "UPDATE category SET id = 'cx' WHERE id = 'cc'",
        &["categories.tree", "category:cc", "category:cx"],
    ),
    ("UPDATE category SET name = 'B' WHERE id = 'cb'", &[]),
    (
        "INSERT INTO category (id, slug, name) VALUES ('cd', 'cd', 'D')",
        &["categories.tree", "category:cd"],
    ),
    (
        "DELETE FROM category WHERE id = 'cb'",
        &[
            "categories.tree",
            "category.members:cb",
            "category:cb",
            "product:pa",
            "product:pb",
        ],
    ),
    (
        "INSERT INTO product_image (product_id, position, url) VALUES ('pc', 0, '/c0')",
        &["product:pc"],
    ),
    (
        "UPDATE product_image SET alt = 'x' WHERE product_id = 'pb'",
        &["product:pb"],
    ),
    (
        "UPDATE product_image SET url = '/x' WHERE product_id = 'pb'",
        &["product:pb"],
    ),
    (
        "UPDATE product_image SET position = 7 WHERE product_id = 'pb'",
        &["product:pb"],
    ),
    (
        "UPDATE product_image SET product_id = 'pc' WHERE product_id = 'pb'",
        &["product:pb", "product:pc"],
    ),
    ("UPDATE product_image SET url = url", &[]),
    (
        "DELETE FROM product_image WHERE product_id = 'pa'",
        &["product:pa"],
    ),
    (
        "INSERT INTO product_variant (sku, product_id, name, value, regular_price, member_price)
         VALUES ('VC', 'pc', 'size', 'S', 10, 9)",
        &["product.sku:VC", "product:pc"],
    ),
    (
        "UPDATE product_variant SET sku = 'VX' WHERE sku = 'VA'",
        &["product.sku:VA", "product.sku:VX", "product:pa"],
    ),
    (
        "UPDATE product_variant SET value = 'M' WHERE sku = 'VA'",
        &["product:pa"],
    ),
    (
        "UPDATE product_variant SET regular_price = 11 WHERE sku = 'VA'",
        &["product:pa"],
    ),
    (
        "UPDATE product_variant SET member_price = 8 WHERE sku = 'VA'",
        &["product:pa"],
    ),
    (
        "UPDATE product_variant SET stock_quantity = 1 WHERE sku = 'VA'",
        &["product:pa"],
    ),
    (
        "UPDATE product_variant SET product_id = 'pc' WHERE sku = 'VA'",
        &["product.sku:VA", "product:pa", "product:pc"],
    ),
    (
        "UPDATE product_variant SET value = 'S' WHERE sku = 'VA'",
        &[],
    ),
    (
        "DELETE FROM product_variant WHERE sku = 'VB'",
        &["product.sku:VB", "product:pb"],
    ),
    (
        "INSERT INTO postcode (code, position, city, state_code) VALUES ('99992', 0, 'D', 'ZZA')",
        &["postcode:99992", "postcodes.list"],
    ),
    (
        "UPDATE postcode SET city = 'x' WHERE code = '99991'",
        &["postcode:99991", "postcodes.list"],
    ),
    (
        "UPDATE postcode SET position = 3 WHERE code = '99991'",
        &["postcode:99991", "postcodes.list"],
    ),
    (
        "UPDATE postcode SET state_code = 'ZZB' WHERE code = '99990'",
        &["postcode:99990", "postcodes.list"],
    ),
    (
        "UPDATE postcode SET code = '99993' WHERE code = '99991'",
        &["postcode:99991", "postcode:99993", "postcodes.list"],
    ),
    ("UPDATE postcode SET city = city", &[]),
    (
        "DELETE FROM postcode WHERE code IN ('99990', '99991')",
        &["postcode:99990", "postcode:99991", "postcodes.list"],
    ),
    (
        "INSERT INTO state (code, name, zone) VALUES ('ZZC', 'C', 'east')",
        &["state:ZZC", "states.list"],
    ),
    (
        "UPDATE state SET name = 'x' WHERE code = 'ZZA'",
        &["state:ZZA"],
    ),
    (
        "UPDATE state SET zone = 'east' WHERE code = 'ZZA'",
        &["state:ZZA"],
    ),
    (
        "UPDATE state SET code = 'ZZD' WHERE code = 'ZZB'",
        &["state:ZZB", "state:ZZD", "states.list"],
    ),
    ("UPDATE state SET zone = 'west' WHERE code = 'ZZA'", &[]),
    (
        "DELETE FROM state WHERE code = 'ZZB'",
        &["state:ZZB", "states.list"],
    ),
    // What no entry shows.
    (
        "INSERT INTO customer (id, name, email, postcode) VALUES ('zz', 'Z', 'z@example.org', '99990')",
        &[],
    ),
    (
        "INSERT INTO cart_line (customer_id, product_id, quantity)
         SELECT min(id), 'pa', 1 FROM customer",
        &[],
    ),
];
