-- The store. Money is in minor units (sen) with its currency; times are with time zone.

CREATE TABLE state (
  code text PRIMARY KEY CHECK (code ~ '^[A-Z]{3}$'),
  name text NOT NULL CHECK (name <> ''),
  -- west: Peninsular Malaysia; east: Sabah, Sarawak, Labuan.
  zone text NOT NULL CHECK (zone IN ('west', 'east'))
);

-- Some cities share a postcode: position 0 is the primary one.
CREATE TABLE postcode (
  code text NOT NULL CHECK (code ~ '^[0-9]{5}$'),
  position integer NOT NULL CHECK (position >= 0),
  city text NOT NULL CHECK (city <> ''),
  state_code text NOT NULL REFERENCES state,
  PRIMARY KEY (code, position)
);
CREATE INDEX postcode_state ON postcode (state_code, code);
CREATE INDEX postcode_city ON postcode (city);

CREATE TABLE category (
  id text PRIMARY KEY CHECK (id ~ '^[A-Za-z0-9_-]{1,64}$'),
  parent_id text REFERENCES category CHECK (parent_id <> id),
  slug text NOT NULL UNIQUE CHECK (slug ~ '^[a-z0-9-]{1,200}$'),
  name text NOT NULL CHECK (name <> ''),
  active boolean NOT NULL DEFAULT true
);
CREATE INDEX category_parent ON category (parent_id);

CREATE TABLE product (
  id text PRIMARY KEY CHECK (id ~ '^[A-Za-z0-9_-]{1,64}$'),
  sku text NOT NULL UNIQUE CHECK (length(sku) BETWEEN 1 AND 64 AND sku !~ '[[:cntrl:]]'),
  slug text NOT NULL UNIQUE CHECK (slug ~ '^[a-z0-9-]{1,200}$'),
  name text NOT NULL CHECK (name <> ''),
  description text NOT NULL DEFAULT '',
  status text NOT NULL DEFAULT 'active'
    CHECK (status IN ('draft', 'active', 'inactive', 'discontinued')),
  currency char(3) NOT NULL DEFAULT 'MYR' CHECK (currency ~ '^[A-Z]{3}$'),
  regular_price bigint NOT NULL CHECK (regular_price >= 0),
  member_price bigint NOT NULL CHECK (member_price BETWEEN 0 AND regular_price),
  promotional_price bigint CHECK (promotional_price >= 0),
  promotion_starts_at timestamptz CHECK (isfinite(promotion_starts_at)),
  promotion_ends_at timestamptz CHECK (isfinite(promotion_ends_at)),
  stock_quantity bigint NOT NULL DEFAULT 0 CHECK (stock_quantity >= 0),
  low_stock_at bigint NOT NULL DEFAULT 10 CHECK (low_stock_at >= 0),
  featured boolean NOT NULL DEFAULT false,
  version bigint NOT NULL DEFAULT 1,
  created_at timestamptz NOT NULL DEFAULT now() CHECK (isfinite(created_at)),
  updated_at timestamptz NOT NULL DEFAULT now() CHECK (isfinite(updated_at)),
  CHECK (promotion_starts_at < promotion_ends_at)
);
CREATE INDEX product_featured ON product (id) WHERE featured;
CREATE INDEX product_promoted ON product (id) WHERE promotional_price IS NOT NULL;
CREATE INDEX product_name ON product (name, id);

CREATE TABLE product_image (
  product_id text NOT NULL REFERENCES product ON DELETE CASCADE,
  position integer NOT NULL CHECK (position >= 0),
  url text NOT NULL CHECK (url <> ''),
  alt text NOT NULL DEFAULT '',
  PRIMARY KEY (product_id, position)
);

-- A variant's prices are in the currency of its product.
CREATE TABLE product_variant (
  sku text PRIMARY KEY CHECK (length(sku) BETWEEN 1 AND 64 AND sku !~ '[[:cntrl:]]'),
  product_id text NOT NULL REFERENCES product ON DELETE CASCADE,
  name text NOT NULL CHECK (name <> ''),
  value text NOT NULL CHECK (value <> ''),
  regular_price bigint NOT NULL CHECK (regular_price >= 0),
  member_price bigint NOT NULL CHECK (member_price BETWEEN 0 AND regular_price),
  stock_quantity bigint NOT NULL DEFAULT 0 CHECK (stock_quantity >= 0)
);
CREATE INDEX product_variant_product ON product_variant (product_id, sku);

CREATE TABLE product_category (
  product_id text NOT NULL REFERENCES product ON DELETE CASCADE,
  category_id text NOT NULL REFERENCES category ON DELETE CASCADE,
  PRIMARY KEY (product_id, category_id)
);
CREATE INDEX product_category_members ON product_category (category_id, product_id);

CREATE TABLE customer (
  id text PRIMARY KEY,
  name text NOT NULL,
  email text NOT NULL UNIQUE,
  postcode text CHECK (postcode ~ '^[0-9]{5}$')
);
CREATE INDEX customer_postcode ON customer (postcode);

CREATE TABLE orders (
  id text PRIMARY KEY,
  customer_id text REFERENCES customer ON DELETE SET NULL,
  delivery_postcode text CHECK (delivery_postcode ~ '^[0-9]{5}$'),
  currency char(3) NOT NULL DEFAULT 'MYR' CHECK (currency ~ '^[A-Z]{3}$'),
  placed_at timestamptz NOT NULL DEFAULT now() CHECK (isfinite(placed_at))
);
CREATE INDEX orders_placed ON orders (placed_at);
CREATE INDEX orders_customer ON orders (customer_id);
CREATE INDEX orders_delivery ON orders (delivery_postcode, placed_at);

CREATE TABLE order_line (
  order_id text NOT NULL REFERENCES orders ON DELETE CASCADE,
  position integer NOT NULL CHECK (position >= 0),
  product_id text NOT NULL REFERENCES product,
  quantity bigint NOT NULL CHECK (quantity > 0),
  unit_price bigint NOT NULL CHECK (unit_price >= 0),
  PRIMARY KEY (order_id, position)
);
CREATE INDEX order_line_product ON order_line (product_id);

CREATE TABLE cart_line (
  customer_id text NOT NULL REFERENCES customer ON DELETE CASCADE,
  product_id text NOT NULL REFERENCES product ON DELETE CASCADE,
  quantity bigint NOT NULL CHECK (quantity > 0),
  added_at timestamptz NOT NULL DEFAULT now() CHECK (isfinite(added_at)),
  PRIMARY KEY (customer_id, product_id)
);
CREATE INDEX cart_line_product ON cart_line (product_id, added_at);

CREATE TABLE wishlist_line (
  customer_id text NOT NULL REFERENCES customer ON DELETE CASCADE,
  product_id text NOT NULL REFERENCES product ON DELETE CASCADE,
  added_at timestamptz NOT NULL DEFAULT now() CHECK (isfinite(added_at)),
  PRIMARY KEY (customer_id, product_id)
);
CREATE INDEX wishlist_line_product ON wishlist_line (product_id, added_at);
