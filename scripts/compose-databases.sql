-- What docker-compose.yml's Postgres starts with: the gateway's database, and the two that Fineract
-- wants to find, for a user of its own each. Fineract and the gateway create their tables themselves.
CREATE USER gateway PASSWORD 'gateway';
CREATE DATABASE gateway OWNER gateway;
CREATE USER fineract PASSWORD 'fineract';
CREATE DATABASE fineract_tenants OWNER fineract;
CREATE DATABASE fineract_default OWNER fineract;
