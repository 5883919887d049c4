-- name: InsertCustomer :exec
INSERT INTO holdfast_customers (id, email, email_eq, phone) VALUES ($1, $2, $3, $4);

-- name: SetPhone :exec
UPDATE holdfast_customers SET phone = $2 WHERE id = $1;

-- name: FindByEmail :many
SELECT * FROM holdfast_customers WHERE email_eq = ANY(sqlc.arg(terms)::bytea[]);

-- name: ListCustomers :many
SELECT * FROM holdfast_customers ORDER BY id;

-- name: ClearIndexes :exec
UPDATE holdfast_customers SET email_eq = NULL WHERE id = $1;

-- name: DeleteCustomers :exec
DELETE FROM holdfast_customers WHERE id = ANY(sqlc.arg(ids)::text[]);
