-- The store. Money is in minor units (sen) with its currency; times are whole microseconds since
-- 1970 (UTC); a boolean is 0 or 1.

CREATE TABLE state (
  code text PRIMARY KEY NOT NULL CHECK (code GLOB '[A-Z][A-Z][A-Z]'),
  name text NOT NULL CHECK (name <> ''),
  -- west: Peninsular Malaysia; east: Sabah, Sarawak, Labuan.
  zone text NOT NULL CHECK (zone IN ('west', 'east'))
) STRICT;

-- Some cities share a postcode: position 0 is the primary one.
CREATE TABLE postcode (
  code text NOT NULL CHECK (code GLOB '[0-9][0-9][0-9][0-9][0-9]'),
  position integer NOT NULL CHECK (position >= 0),
  city text NOT NULL CHECK (city <> ''),
  state_code text NOT NULL REFERENCES state,
  PRIMARY KEY (code, position)
) STRICT;
CREATE INDEX postcode_state ON postcode (state_code, code);
CREATE INDEX postcode_city ON postcode (city);

CREATE TABLE category (
  id text PRIMARY KEY NOT NULL
    CHECK (length(id) BETWEEN 1 AND 64 AND id NOT GLOB '*[^A-Za-z0-9_-]*'),
  parent_id text REFERENCES category CHECK (parent_id <> id),
  slug text NOT NULL UNIQUE
    CHECK (length(slug) BETWEEN 1 AND 200 AND slug NOT GLOB '*[^a-z0-9-]*'),
  name text NOT NULL CHECK (name <> ''),
  active integer NOT NULL DEFAULT 1 CHECK (active IN (0, 1))
) STRICT;
CREATE INDEX category_parent ON category (parent_id);

CREATE TABLE product (
  id text PRIMARY KEY NOT NULL
    CHECK (length(id) BETWEEN 1 AND 64 AND id NOT GLOB '*[^A-Za-z0-9_-]*'),
  sku text NOT NULL UNIQUE
    CHECK (length(sku) BETWEEN 1 AND 64
      AND sku NOT GLOB
        '*[' || char(1) || '-' || char(31) || char(127) || '-' || char(159) || ']*'),
  slug text NOT NULL UNIQUE
    CHECK (length(slug) BETWEEN 1 AND 200 AND slug NOT GLOB '*[^a-z0-9-]*'),
  name text NOT NULL CHECK (name <> ''),
  description text NOT NULL DEFAULT '',
  status text NOT NULL DEFAULT 'active'
    CHECK (status IN ('draft', 'active', 'inactive', 'discontinued')),
  currency text NOT NULL DEFAULT 'MYR' CHECK (currency GLOB '[A-Z][A-Z][A-Z]'),
  regular_price integer NOT NULL CHECK (regular_price >= 0),
  member_price integer NOT NULL CHECK (member_price BETWEEN 0 AND regular_price),
  promotional_price integer CHECK (promotional_price >= 0),
  promotion_starts_at integer,
  promotion_ends_at integer,
  stock_quantity integer NOT NULL DEFAULT 0 CHECK (stock_quantity >= 0),
  low_stock_at integer NOT NULL DEFAULT 10 CHECK (low_stock_at >= 0),
  featured integer NOT NULL DEFAULT 0 CHECK (featured IN (0, 1)),
  version integer NOT NULL DEFAULT 1,
  created_at integer NOT NULL DEFAULT (CAST(unixepoch('subsec') * 1000 AS integer) * 1000),
  updated_at integer NOT NULL DEFAULT (CAST(unixepoch('subsec') * 1000 AS integer) * 1000),
  CHECK (promotion_starts_at < promotion_ends_at)
) STRICT;
CREATE INDEX product_featured ON product (id) WHERE featured;
CREATE INDEX product_name ON product (name, id);

CREATE TABLE product_image (
  product_id text NOT NULL REFERENCES product ON DELETE CASCADE,
  position integer NOT NULL CHECK (position >= 0),
  url text NOT NULL CHECK (url <> ''),
  alt text NOT NULL DEFAULT '',
  PRIMARY KEY (product_id, position)
) STRICT;

-- A variant's prices are in the currency of its product.
CREATE TABLE product_variant (
  sku text PRIMARY KEY NOT NULL
    CHECK (length(sku) BETWEEN 1 AND 64
      AND sku NOT GLOB
        '*[' || char(1) || '-' || char(31) || char(127) || '-' || char(159) || ']*'),
  product_id text NOT NULL REFERENCES product ON DELETE CASCADE,
  name text NOT NULL CHECK (name <> ''),
  value text NOT NULL CHECK (value <> ''),
  regular_price integer NOT NULL CHECK (regular_price >= 0),
  member_price integer NOT NULL CHECK (member_price BETWEEN 0 AND regular_price),
  stock_quantity integer NOT NULL DEFAULT 0 CHECK (stock_quantity >= 0)
) STRICT;
CREATE INDEX product_variant_product ON product_variant (product_id, sku);

CREATE TABLE product_category (
  product_id text NOT NULL REFERENCES product ON DELETE CASCADE,
  category_id text NOT NULL REFERENCES category ON DELETE CASCADE,
  PRIMARY KEY (product_id, category_id)
) STRICT;
CREATE INDEX product_category_members ON product_category (category_id, product_id);

CREATE TABLE customer (
  id text PRIMARY KEY NOT NULL,
  name text NOT NULL,
  email text NOT NULL UNIQUE,
  postcode text CHECK (postcode GLOB '[0-9][0-9][0-9][0-9][0-9]')
) STRICT;
CREATE INDEX customer_postcode ON customer (postcode);

CREATE TABLE orders (
  id text PRIMARY KEY NOT NULL,
  customer_id text REFERENCES customer ON DELETE SET NULL,
  delivery_postcode text CHECK (delivery_postcode GLOB '[0-9][0-9][0-9][0-9][0-9]'),
  currency text NOT NULL DEFAULT 'MYR' CHECK (currency GLOB '[A-Z][A-Z][A-Z]'),
  placed_at integer NOT NULL DEFAULT (CAST(unixepoch('subsec') * 1000 AS integer) * 1000)
) STRICT;
CREATE INDEX orders_placed ON orders (placed_at);
CREATE INDEX orders_customer ON orders (customer_id);
CREATE INDEX orders_delivery ON orders (delivery_postcode, placed_at);

CREATE TABLE order_line (
  order_id text NOT NULL REFERENCES orders ON DELETE CASCADE,
  position integer NOT NULL CHECK (position >= 0),
  product_id text NOT NULL REFERENCES product,
  quantity integer NOT NULL CHECK (quantity > 0),
  unit_price integer NOT NULL CHECK (unit_price >= 0),
  PRIMARY KEY (order_id, position)
) STRICT;
CREATE INDEX order_line_product ON order_line (product_id);

CREATE TABLE cart_line (
  customer_id text NOT NULL REFERENCES customer ON DELETE CASCADE,
  product_id text NOT NULL REFERENCES product ON DELETE CASCADE,
  quantity integer NOT NULL CHECK (quantity > 0),
  added_at integer NOT NULL DEFAULT (CAST(unixepoch('subsec') * 1000 AS integer) * 1000),
  PRIMARY KEY (customer_id, product_id)
) STRICT;
CREATE INDEX cart_line_product ON cart_line (product_id, added_at);

CREATE TABLE wishlist_line (
  customer_id text NOT NULL REFERENCES customer ON DELETE CASCADE,
  product_id text NOT NULL REFERENCES product ON DELETE CASCADE,
  added_at integer NOT NULL DEFAULT (CAST(unixepoch('subsec') * 1000 AS integer) * 1000),
  PRIMARY KEY (customer_id, product_id)
) STRICT;
CREATE INDEX wishlist_line_product ON wishlist_line (product_id, added_at);

-- Which file this is: copies share it, two new files never do.
CREATE TABLE database_file (
  one integer PRIMARY KEY CHECK (one = 1),
  id blob NOT NULL CHECK (length(id) = 16)
) STRICT;
INSERT INTO database_file (one, id) VALUES (1, randomblob(16));

-- "tgkt": by this number a file says that it is ours; and how many migrations it has had.
PRAGMA application_id = 1952934772;
PRAGMA user_version = 1;
