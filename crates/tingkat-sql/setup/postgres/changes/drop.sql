-- Removes the change log, by name: what somebody else has put into the schema stays and is named.

DROP FUNCTION IF EXISTS
  tingkat.append(text[], text[]),
  tingkat.category_changed(),
  tingkat.compact(interval, bigint),
  tingkat.forget(text[]),
  tingkat.postcode_changed(),
  tingkat.product_category_changed(),
  tingkat.product_changed(),
  tingkat.product_image_changed(),
  tingkat.product_variant_changed(),
  tingkat.renew(uuid),
  tingkat.state_changed(),
  tingkat.system_id();
DROP TABLE IF EXISTS tingkat.change, tingkat.change_old, tingkat.state, tingkat.tick;
DROP SCHEMA IF EXISTS tingkat;
