-- Creates the three roles of the gateway's database, and grants each what it needs, also on tables of later versions
-- (docs/DEPLOYING.md, "Three database roles"). Run it in the gateway's database as a superuser, before `fineract-gateway
-- migrate`. It may run again at any time. If another role has owned the tables so far, stop the gateways first.
--
--   psql --dbname=gateway --file=scripts/database-roles.sql
--
-- Other names: --set=owner=… --set=gateway=… --set=reader=…. The roles get no password here: set one with \password.
\set ON_ERROR_STOP on
\if :{?owner} \else \set owner gateway_owner \endif
\if :{?gateway} \else \set gateway gateway \endif
\if :{?reader} \else \set reader gateway_reader \endif
BEGIN;
SET LOCAL lock_timeout = '2s';

SELECT format('CREATE ROLE %I LOGIN', name)
  FROM unnest(ARRAY[:'owner', :'gateway', :'reader']) name
 WHERE NOT EXISTS (SELECT FROM pg_roles WHERE rolname = name)
\gexec

-- Only these roles use the database, and only the owner creates anything in it, not even temporary tables.
SELECT format('ALTER DATABASE %1$I OWNER TO %2$I', current_database(), :'owner'),
       format('REVOKE ALL ON DATABASE %1$I FROM PUBLIC', current_database()),
       format('GRANT CONNECT ON DATABASE %1$I TO %2$I, %3$I', current_database(), :'gateway', :'reader')
\gexec
ALTER SCHEMA public OWNER TO :"owner";
REVOKE ALL ON SCHEMA public FROM PUBLIC;
GRANT USAGE ON SCHEMA public TO :"gateway", :"reader";

-- What another role has owned so far.
SELECT format('ALTER TABLE %s OWNER TO %I', oid::regclass, :'owner')
  FROM pg_class
 WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p', 'v') AND relowner::regrole::text <> quote_ident(:'owner')
   AND NOT EXISTS (SELECT FROM pg_depend WHERE objid = pg_class.oid AND deptype = 'e')
\gexec
SELECT format('ALTER FUNCTION %s OWNER TO %I', oid::regprocedure, :'owner')
  FROM pg_proc
 WHERE pronamespace = 'public'::regnamespace AND prokind = 'f' AND proowner::regrole::text <> quote_ident(:'owner')
   AND NOT EXISTS (SELECT FROM pg_depend WHERE objid = pg_proc.oid AND deptype = 'e')
\gexec

-- The tables of a database that was migrated before. The gateway neither changes the audit nor the list of migrations.
SELECT format('GRANT SELECT, INSERT, UPDATE, DELETE ON %s TO %I', oid::regclass, :'gateway'),
       format('GRANT SELECT ON %s TO %I', oid::regclass, :'reader')
  FROM pg_class
 WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p', 'v')
\gexec
SELECT format('REVOKE UPDATE, DELETE ON %s FROM %I', oid::regclass, :'gateway')
  FROM pg_class
 WHERE oid IN (to_regclass('public.audit'), to_regclass('public.audit_seal'), to_regclass('public._sqlx_migrations'))
\gexec
SELECT format('REVOKE INSERT ON %s FROM %I', oid::regclass, :'gateway')
  FROM pg_class
 WHERE oid = to_regclass('public._sqlx_migrations')
\gexec
GRANT SELECT ON ALL SEQUENCES IN SCHEMA public TO :"reader";
-- Some functions write with the rights of the owner, so the reader must not call them.
REVOKE EXECUTE ON ALL FUNCTIONS IN SCHEMA public FROM PUBLIC;
GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA public TO :"gateway";

-- The tables of later versions. A migration takes back what the gateway must not do with one of them.
ALTER DEFAULT PRIVILEGES FOR ROLE :"owner" REVOKE EXECUTE ON FUNCTIONS FROM PUBLIC;
ALTER DEFAULT PRIVILEGES FOR ROLE :"owner" IN SCHEMA public GRANT EXECUTE ON FUNCTIONS TO :"gateway";
ALTER DEFAULT PRIVILEGES FOR ROLE :"owner" IN SCHEMA public
    GRANT SELECT, INSERT, UPDATE, DELETE ON TABLES TO :"gateway";
ALTER DEFAULT PRIVILEGES FOR ROLE :"owner" IN SCHEMA public GRANT SELECT ON TABLES TO :"reader";
ALTER DEFAULT PRIVILEGES FOR ROLE :"owner" IN SCHEMA public GRANT SELECT ON SEQUENCES TO :"reader";

COMMIT;
