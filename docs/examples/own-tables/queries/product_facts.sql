-- What operators want to know: there are no promotions here.
SELECT fact.name, fact.value
FROM (
  SELECT count(*) AS shown, count(*) FILTER (WHERE item.on_hand = 0) AS sold_out
  FROM item
  WHERE item.is_shown AND cardinality($1::text[]) >= 0
) AS counted
CROSS JOIN LATERAL (
  VALUES ('active'::text, counted.shown), ('sold_out', counted.sold_out)
) AS fact (name, value)
