-- The Postgres of docker-compose.yml runs this at its first start. It creates the gateway's database and the two that
-- Fineract expects, with one user for the gateway and one for Fineract. Both programs create their tables themselves.
CREATE USER gateway PASSWORD 'gateway';
CREATE DATABASE gateway OWNER gateway;
CREATE USER fineract PASSWORD 'fineract';
CREATE DATABASE fineract_tenants OWNER fineract;
CREATE DATABASE fineract_default OWNER fineract;
