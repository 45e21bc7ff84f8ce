-- Closes the installation of the demo store: the planner knows the new tables at once.
ANALYZE state, postcode, category, product, product_image, product_variant, product_category,
  customer, orders, order_line, cart_line, wishlist_line;
