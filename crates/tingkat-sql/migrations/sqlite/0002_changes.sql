-- The change log: what is different in the store, by the names under which caches depend on it,
-- written by triggers in the writer's own transaction. There is one writer at a time, so the order
-- of ids is the order of commits, without gaps; an id that was rolled back was never seen.

-- kind: f forget, e expire, p pattern. No constraint here can ever be the one that fails: an
-- INSERT OR IGNORE of the store would silently leave the change out.
CREATE TABLE tingkat_change (
  id integer PRIMARY KEY AUTOINCREMENT,
  kind text NOT NULL DEFAULT 'f' CHECK (kind IN ('f', 'e', 'p')),
  dep text NOT NULL
) STRICT;

-- renewal: drawn anew where the file was proven to be an older copy of itself. Rows up to
-- compacted_to were compacted, and kept of them are left.
CREATE TABLE tingkat_state (
  one integer PRIMARY KEY CHECK (one = 1),
  renewal blob NOT NULL CHECK (length(renewal) = 16),
  compacted_to integer NOT NULL,
  kept integer NOT NULL
) STRICT;
INSERT INTO tingkat_state (one, renewal, compacted_to, kept) VALUES (1, randomblob(16), 0, 0);

-- A change is computed from the row alone, before and after. REPLACE removes rows that are in the
-- way, and without recursive_triggers, which others may leave off, no DELETE trigger hears of it:
-- that is what the triggers named `…_replace…` are for. They name what the row that comes does not.

CREATE TRIGGER tingkat_product_insert AFTER INSERT ON product
BEGIN
  INSERT INTO tingkat_change (dep) VALUES
    ('product:' || new.id),
    ('product.sku:' || new.sku),
    ('product.slug:' || new.slug),
    ('products.list');
END;

CREATE TRIGGER tingkat_product_delete AFTER DELETE ON product
BEGIN
  INSERT INTO tingkat_change (dep) VALUES
    ('product:' || old.id),
    ('product.sku:' || old.sku),
    ('product.slug:' || old.slug),
    ('products.list');
END;

-- Only the columns that statements read. A sale writes the stock: that has one trigger and one row
-- here, and all that is rarer stands apart.
CREATE TRIGGER tingkat_product_update AFTER UPDATE ON product
WHEN (
  old.id, old.sku, old.slug, old.name, old.description, old.status, old.currency,
  old.regular_price, old.member_price, old.promotional_price, old.promotion_starts_at,
  old.promotion_ends_at, old.stock_quantity, old.low_stock_at, old.featured, old.version,
  old.created_at, old.updated_at
) IS NOT (
  new.id, new.sku, new.slug, new.name, new.description, new.status, new.currency,
  new.regular_price, new.member_price, new.promotional_price, new.promotion_starts_at,
  new.promotion_ends_at, new.stock_quantity, new.low_stock_at, new.featured, new.version,
  new.created_at, new.updated_at
)
BEGIN
  INSERT INTO tingkat_change (dep) VALUES ('product:' || new.id);
END;

CREATE TRIGGER tingkat_product_update_id AFTER UPDATE OF id ON product
WHEN old.id <> new.id
BEGIN
  INSERT INTO tingkat_change (dep) VALUES ('product:' || old.id);
END;

CREATE TRIGGER tingkat_product_update_sku AFTER UPDATE OF id, sku ON product
WHEN (old.id, old.sku) IS NOT (new.id, new.sku)
BEGIN
  INSERT INTO tingkat_change (dep)
  SELECT 'product.sku:' || old.sku UNION SELECT 'product.sku:' || new.sku;
END;

CREATE TRIGGER tingkat_product_update_slug AFTER UPDATE OF id, slug ON product
WHEN (old.id, old.slug) IS NOT (new.id, new.slug)
BEGIN
  INSERT INTO tingkat_change (dep)
  SELECT 'product.slug:' || old.slug UNION SELECT 'product.slug:' || new.slug;
END;

CREATE TRIGGER tingkat_product_update_list AFTER UPDATE OF
  id, name, status, featured, currency, regular_price, member_price, promotional_price,
  promotion_starts_at, promotion_ends_at, created_at
ON product
WHEN (
  old.id, old.name, old.status, old.featured, old.currency, old.regular_price,
  old.member_price, old.promotional_price, old.promotion_starts_at, old.promotion_ends_at,
  old.created_at
) IS NOT (
  new.id, new.name, new.status, new.featured, new.currency, new.regular_price,
  new.member_price, new.promotional_price, new.promotion_starts_at, new.promotion_ends_at,
  new.created_at
)
BEGIN
  INSERT INTO tingkat_change (dep) VALUES ('products.list');
END;

CREATE TRIGGER tingkat_product_replace BEFORE INSERT ON product
BEGIN
  INSERT INTO tingkat_change (dep)
  SELECT 'product:' || product.id FROM product
  WHERE (product.sku = new.sku OR product.slug = new.slug) AND product.id <> new.id
  UNION SELECT 'product.sku:' || product.sku FROM product
  WHERE (product.id = new.id OR product.slug = new.slug) AND product.sku <> new.sku
  UNION SELECT 'product.slug:' || product.slug FROM product
  WHERE (product.id = new.id OR product.sku = new.sku) AND product.slug <> new.slug;
END;

CREATE TRIGGER tingkat_product_replace_by_update BEFORE UPDATE OF id, sku, slug ON product
WHEN (old.id, old.sku, old.slug) IS NOT (new.id, new.sku, new.slug)
BEGIN
  INSERT INTO tingkat_change (dep)
  WITH gone AS (
    SELECT product.id, product.sku, product.slug FROM product
    WHERE (product.id = new.id OR product.sku = new.sku OR product.slug = new.slug)
      AND product.id <> old.id
  )
  SELECT 'product:' || gone.id FROM gone
  UNION SELECT 'product.sku:' || gone.sku FROM gone
  UNION SELECT 'product.slug:' || gone.slug FROM gone
  UNION SELECT 'products.list' FROM gone;
END;

CREATE TRIGGER tingkat_product_category_insert AFTER INSERT ON product_category
BEGIN
  INSERT INTO tingkat_change (dep) VALUES
    ('product:' || new.product_id),
    ('category.members:' || new.category_id);
END;

CREATE TRIGGER tingkat_product_category_delete AFTER DELETE ON product_category
BEGIN
  INSERT INTO tingkat_change (dep) VALUES
    ('product:' || old.product_id),
    ('category.members:' || old.category_id);
END;

CREATE TRIGGER tingkat_product_category_update AFTER UPDATE ON product_category
WHEN (old.product_id, old.category_id) IS NOT (new.product_id, new.category_id)
BEGIN
  INSERT INTO tingkat_change (dep)
  SELECT 'product:' || old.product_id
  UNION SELECT 'product:' || new.product_id
  UNION SELECT 'category.members:' || old.category_id
  UNION SELECT 'category.members:' || new.category_id;
END;

CREATE TRIGGER tingkat_category_insert AFTER INSERT ON category
BEGIN
  INSERT INTO tingkat_change (dep) VALUES ('category:' || new.id), ('categories.tree');
END;

CREATE TRIGGER tingkat_category_delete AFTER DELETE ON category
BEGIN
  INSERT INTO tingkat_change (dep) VALUES ('category:' || old.id), ('categories.tree');
END;

CREATE TRIGGER tingkat_category_update AFTER UPDATE ON category
WHEN (old.id, old.parent_id, old.slug, old.name, old.active)
  IS NOT (new.id, new.parent_id, new.slug, new.name, new.active)
BEGIN
  INSERT INTO tingkat_change (dep)
  SELECT 'category:' || old.id
  UNION SELECT 'category:' || new.id
  UNION SELECT 'categories.tree';
END;

CREATE TRIGGER tingkat_category_replace BEFORE INSERT ON category
BEGIN
  INSERT INTO tingkat_change (dep)
  SELECT 'category:' || category.id FROM category
  WHERE category.slug = new.slug AND category.id <> new.id;
END;

CREATE TRIGGER tingkat_category_replace_by_update BEFORE UPDATE OF id, slug ON category
WHEN (old.id, old.slug) IS NOT (new.id, new.slug)
BEGIN
  INSERT INTO tingkat_change (dep)
  SELECT 'category:' || category.id FROM category
  WHERE (category.id = new.id OR category.slug = new.slug) AND category.id <> old.id;
END;

CREATE TRIGGER tingkat_product_image_insert AFTER INSERT ON product_image
BEGIN
  INSERT INTO tingkat_change (dep) VALUES ('product:' || new.product_id);
END;

CREATE TRIGGER tingkat_product_image_delete AFTER DELETE ON product_image
BEGIN
  INSERT INTO tingkat_change (dep) VALUES ('product:' || old.product_id);
END;

CREATE TRIGGER tingkat_product_image_update AFTER UPDATE ON product_image
WHEN (old.product_id, old.position, old.url, old.alt)
  IS NOT (new.product_id, new.position, new.url, new.alt)
BEGIN
  INSERT INTO tingkat_change (dep) VALUES ('product:' || new.product_id);
END;

CREATE TRIGGER tingkat_product_image_update_product AFTER UPDATE OF product_id ON product_image
WHEN old.product_id <> new.product_id
BEGIN
  INSERT INTO tingkat_change (dep) VALUES ('product:' || old.product_id);
END;

CREATE TRIGGER tingkat_product_variant_insert AFTER INSERT ON product_variant
BEGIN
  INSERT INTO tingkat_change (dep) VALUES
    ('product:' || new.product_id),
    ('product.sku:' || new.sku);
END;

CREATE TRIGGER tingkat_product_variant_delete AFTER DELETE ON product_variant
BEGIN
  INSERT INTO tingkat_change (dep) VALUES
    ('product:' || old.product_id),
    ('product.sku:' || old.sku);
END;

CREATE TRIGGER tingkat_product_variant_update AFTER UPDATE ON product_variant
WHEN (
  old.sku, old.product_id, old.name, old.value, old.regular_price, old.member_price,
  old.stock_quantity
) IS NOT (
  new.sku, new.product_id, new.name, new.value, new.regular_price, new.member_price,
  new.stock_quantity
)
BEGIN
  INSERT INTO tingkat_change (dep) VALUES ('product:' || new.product_id);
END;

CREATE TRIGGER tingkat_product_variant_update_product AFTER UPDATE OF product_id ON product_variant
WHEN old.product_id <> new.product_id
BEGIN
  INSERT INTO tingkat_change (dep) VALUES ('product:' || old.product_id);
END;

CREATE TRIGGER tingkat_product_variant_update_sku AFTER UPDATE OF sku, product_id ON product_variant
WHEN (old.sku, old.product_id) IS NOT (new.sku, new.product_id)
BEGIN
  INSERT INTO tingkat_change (dep)
  SELECT 'product.sku:' || old.sku UNION SELECT 'product.sku:' || new.sku;
END;

CREATE TRIGGER tingkat_product_variant_replace BEFORE INSERT ON product_variant
BEGIN
  INSERT INTO tingkat_change (dep)
  SELECT 'product:' || product_variant.product_id FROM product_variant
  WHERE product_variant.sku = new.sku AND product_variant.product_id <> new.product_id;
END;

CREATE TRIGGER tingkat_product_variant_replace_by_update
BEFORE UPDATE OF sku ON product_variant
WHEN old.sku <> new.sku
BEGIN
  INSERT INTO tingkat_change (dep)
  SELECT 'product:' || product_variant.product_id FROM product_variant
  WHERE product_variant.sku = new.sku;
END;

CREATE TRIGGER tingkat_postcode_insert AFTER INSERT ON postcode
BEGIN
  INSERT INTO tingkat_change (dep) VALUES ('postcode:' || new.code), ('postcodes.list');
END;

CREATE TRIGGER tingkat_postcode_delete AFTER DELETE ON postcode
BEGIN
  INSERT INTO tingkat_change (dep) VALUES ('postcode:' || old.code), ('postcodes.list');
END;

CREATE TRIGGER tingkat_postcode_update AFTER UPDATE ON postcode
WHEN (old.code, old.position, old.city, old.state_code)
  IS NOT (new.code, new.position, new.city, new.state_code)
BEGIN
  INSERT INTO tingkat_change (dep)
  SELECT 'postcode:' || old.code
  UNION SELECT 'postcode:' || new.code
  UNION SELECT 'postcodes.list';
END;

CREATE TRIGGER tingkat_state_insert AFTER INSERT ON state
BEGIN
  INSERT INTO tingkat_change (dep) VALUES ('state:' || new.code), ('states.list');
END;

CREATE TRIGGER tingkat_state_delete AFTER DELETE ON state
BEGIN
  INSERT INTO tingkat_change (dep) VALUES ('state:' || old.code), ('states.list');
END;

CREATE TRIGGER tingkat_state_update AFTER UPDATE ON state
WHEN (old.code, old.name, old.zone) IS NOT (new.code, new.name, new.zone)
BEGIN
  INSERT INTO tingkat_change (dep)
  SELECT 'state:' || old.code
  UNION SELECT 'state:' || new.code
  UNION SELECT 'states.list' WHERE old.code <> new.code;
END;

PRAGMA user_version = 2;
