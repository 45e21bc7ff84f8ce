-- Promotions are few among many products: a listing of them looks at no others.

CREATE INDEX product_promoted ON product (id) WHERE promotional_price IS NOT NULL;

PRAGMA user_version = 3;
