-- What makes the role $2 like the role $1 in all that the whole cluster knows: statements, in their order.
WITH role AS (
    SELECT active.oid AS active_id, idle.oid AS idle_id, active, idle
    FROM pg_catalog.pg_roles AS active, pg_catalog.pg_roles AS idle
    WHERE active.rolname = $1 AND idle.rolname = $2
), attribute AS (
    SELECT concat(
        CASE WHEN (active).rolinherit <> (idle).rolinherit
             THEN CASE WHEN (active).rolinherit THEN ' INHERIT' ELSE ' NOINHERIT' END END,
        CASE WHEN (active).rolcreatedb <> (idle).rolcreatedb
             THEN CASE WHEN (active).rolcreatedb THEN ' CREATEDB' ELSE ' NOCREATEDB' END END,
        CASE WHEN (active).rolcreaterole <> (idle).rolcreaterole
             THEN CASE WHEN (active).rolcreaterole THEN ' CREATEROLE' ELSE ' NOCREATEROLE' END END,
        CASE WHEN (active).rolreplication <> (idle).rolreplication
             THEN CASE WHEN (active).rolreplication THEN ' REPLICATION' ELSE ' NOREPLICATION' END END,
        CASE WHEN (active).rolbypassrls <> (idle).rolbypassrls
             THEN CASE WHEN (active).rolbypassrls THEN ' BYPASSRLS' ELSE ' NOBYPASSRLS' END END,
        CASE WHEN (active).rolconnlimit <> (idle).rolconnlimit
             THEN format(' CONNECTION LIMIT %s', (active).rolconnlimit) END,
        CASE WHEN coalesce((active).rolvaliduntil, 'infinity') <> coalesce((idle).rolvaliduntil, 'infinity')
             THEN format(' VALID UNTIL %L', coalesce((active).rolvaliduntil, 'infinity')::text) END
    ) AS options FROM role
), setting AS (
    SELECT setrole, setdatabase, split_part(config, '=', 1) AS name, substr(config, strpos(config, '=') + 1) AS value
    FROM pg_catalog.pg_db_role_setting, unnest(setconfig) AS config
), change AS (
    SELECT coalesce(a.setdatabase, i.setdatabase) AS setdatabase, coalesce(a.name, i.name) AS name, a.value
    FROM (SELECT setting.* FROM setting, role WHERE setrole = active_id) AS a
    FULL JOIN (SELECT setting.* FROM setting, role WHERE setrole = idle_id) AS i
        ON a.setdatabase = i.setdatabase AND a.name = i.name
    WHERE a.value IS DISTINCT FROM i.value
), target AS (
    SELECT change.*, format('ALTER ROLE %I%s', $2::text,
        (SELECT format(' IN DATABASE %I', datname) FROM pg_catalog.pg_database AS d WHERE d.oid = setdatabase)) AS alter
    FROM change
)
SELECT statement FROM (
    SELECT 1, format('ALTER ROLE %I%s', $2::text, options) FROM attribute WHERE options <> ''
    UNION ALL
    SELECT 2, format('GRANT %I TO %I%s', pg_get_userbyid(roleid), $2::text,
        CASE WHEN admin_option THEN ' WITH ADMIN OPTION' ELSE '' END)
    FROM role, pg_catalog.pg_auth_members AS m
    WHERE member = active_id AND roleid <> idle_id AND NOT EXISTS (
        SELECT FROM pg_catalog.pg_auth_members AS n
        WHERE n.member = idle_id AND n.roleid = m.roleid AND (n.admin_option OR NOT m.admin_option))
    UNION ALL
    SELECT 3, CASE
        WHEN value IS NULL THEN format('%s RESET %I', alter, name)
        -- Lists of names are kept as they were quoted; as one text they would become one name.
        WHEN name IN ('search_path', 'temp_tablespaces', 'local_preload_libraries', 'session_preload_libraries')
        THEN format('SELECT pg_catalog.set_config(%L, %L, true); %s SET %I FROM CURRENT; SET LOCAL search_path = ''''',
            name, value, alter, name)
        ELSE format('%s SET %I TO %L', alter, name, value) END
    FROM target
) AS step (place, statement)
ORDER BY place, statement
