-- A small store that was there before Tingkat: other names, prices with decimals, numbers as ids.
CREATE TABLE item (
  item_id bigint PRIMARY KEY,
  code text NOT NULL UNIQUE,
  title text NOT NULL,
  price numeric(10,2) NOT NULL,
  on_hand integer NOT NULL DEFAULT 0,
  is_shown boolean NOT NULL DEFAULT true,
  changed_at timestamptz NOT NULL DEFAULT now()
);
CREATE TABLE item_photo (
  item_id bigint NOT NULL REFERENCES item ON DELETE CASCADE,
  position integer NOT NULL,
  path text NOT NULL,
  PRIMARY KEY (item_id, position)
);
INSERT INTO item (item_id, code, title, price, on_hand) VALUES
  (1, 'TEH-01', 'Teh Tarik', 19.99, 7), (2, 'CEREK', 'Cerek', 45.00, 0);
INSERT INTO item_photo VALUES (1, 0, '/photos/teh.jpg');
