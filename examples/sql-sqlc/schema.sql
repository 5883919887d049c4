-- The constraints refuse what is no record, from programs that write past Table.Seal and from people.
CREATE TABLE IF NOT EXISTS holdfast_customers (
	id       text PRIMARY KEY,
	email    bytea NOT NULL CHECK (get_byte(email, 0) = 245 AND length(email) >= 58),
	email_eq bytea UNIQUE CHECK (length(email_eq) = 16),
	phone    bytea CHECK (get_byte(phone, 0) = 245 AND length(phone) >= 58)
);
