-- The Postgres of docker-compose.yml runs this at its first start. It creates the gateway's database with its three roles,
-- and the two databases that Fineract expects, with one role. Both programs create their tables themselves.
CREATE ROLE fineract LOGIN PASSWORD 'fineract';
CREATE DATABASE fineract_tenants OWNER fineract;
CREATE DATABASE fineract_default OWNER fineract;
CREATE DATABASE gateway;
\connect gateway
\include /gateway/database-roles.sql
ALTER ROLE gateway_owner PASSWORD 'gateway_owner';
ALTER ROLE gateway PASSWORD 'gateway';
ALTER ROLE gateway_reader PASSWORD 'gateway_reader';
