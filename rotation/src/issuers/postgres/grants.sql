-- What the role $1 was granted in this database, or has granted by default, and the role $2 would lack: a name for
-- people and the statement that mends it. What $2 has by other ways, or will have as a member of the groups of $1, is
-- not missing. search_path is empty, so that every name is qualified.
WITH role AS (
    SELECT active.oid AS active, coalesce(idle.oid, 0) AS idle, $2::text AS name
    FROM pg_catalog.pg_roles AS active
    LEFT JOIN pg_catalog.pg_roles AS idle ON idle.rolname = $2
    WHERE active.rolname = $1
), holder AS (
    SELECT idle AS oid FROM role
    UNION SELECT roleid FROM role JOIN pg_catalog.pg_auth_members ON member = active
), entry (kind, object, suffix, privilege, grantable, held) AS (
    SELECT CASE relkind WHEN 'S' THEN 'SEQUENCE' ELSE 'TABLE' END, c.oid::pg_catalog.regclass::text, '',
        privilege_type, is_grantable,
        (SELECT bool_or(CASE relkind WHEN 'S' THEN has_sequence_privilege(h.oid, c.oid, privilege_type || option)
                                     ELSE has_table_privilege(h.oid, c.oid, privilege_type || option) END)
         FROM holder AS h)
    FROM role, pg_catalog.pg_class AS c, aclexplode(relacl),
        LATERAL (SELECT CASE WHEN is_grantable THEN ' WITH GRANT OPTION' ELSE '' END AS option) AS o
    WHERE grantee = active AND relowner <> active
    UNION ALL
    SELECT 'TABLE', attrelid::pg_catalog.regclass::text, format(' (%I)', attname), privilege_type, is_grantable,
        (SELECT bool_or(has_column_privilege(h.oid, attrelid, attnum,
            privilege_type || CASE WHEN is_grantable THEN ' WITH GRANT OPTION' ELSE '' END)) FROM holder AS h)
    FROM role, pg_catalog.pg_attribute, aclexplode(attacl)
    WHERE grantee = active AND NOT attisdropped
    UNION ALL
    SELECT 'ROUTINE', p.oid::pg_catalog.regprocedure::text, '', privilege_type, is_grantable,
        (SELECT bool_or(has_function_privilege(h.oid, p.oid,
            privilege_type || CASE WHEN is_grantable THEN ' WITH GRANT OPTION' ELSE '' END)) FROM holder AS h)
    FROM role, pg_catalog.pg_proc AS p, aclexplode(proacl)
    WHERE grantee = active AND proowner <> active
    UNION ALL
    SELECT 'SCHEMA', quote_ident(nspname), '', privilege_type, is_grantable,
        (SELECT bool_or(has_schema_privilege(h.oid, n.oid,
            privilege_type || CASE WHEN is_grantable THEN ' WITH GRANT OPTION' ELSE '' END)) FROM holder AS h)
    FROM role, pg_catalog.pg_namespace AS n, aclexplode(nspacl)
    WHERE grantee = active AND nspowner <> active
    UNION ALL
    SELECT 'TYPE', t.oid::pg_catalog.regtype::text, '', privilege_type, is_grantable,
        (SELECT bool_or(has_type_privilege(h.oid, t.oid,
            privilege_type || CASE WHEN is_grantable THEN ' WITH GRANT OPTION' ELSE '' END)) FROM holder AS h)
    FROM role, pg_catalog.pg_type AS t, aclexplode(typacl)
    WHERE grantee = active AND typowner <> active
    UNION ALL
    SELECT 'LANGUAGE', quote_ident(lanname), '', privilege_type, is_grantable,
        (SELECT bool_or(has_language_privilege(h.oid, l.oid,
            privilege_type || CASE WHEN is_grantable THEN ' WITH GRANT OPTION' ELSE '' END)) FROM holder AS h)
    FROM role, pg_catalog.pg_language AS l, aclexplode(lanacl)
    WHERE grantee = active AND lanowner <> active
    UNION ALL
    SELECT 'FOREIGN DATA WRAPPER', quote_ident(fdwname), '', privilege_type, is_grantable,
        (SELECT bool_or(has_foreign_data_wrapper_privilege(h.oid, f.oid,
            privilege_type || CASE WHEN is_grantable THEN ' WITH GRANT OPTION' ELSE '' END)) FROM holder AS h)
    FROM role, pg_catalog.pg_foreign_data_wrapper AS f, aclexplode(fdwacl)
    WHERE grantee = active AND fdwowner <> active
    UNION ALL
    SELECT 'FOREIGN SERVER', quote_ident(srvname), '', privilege_type, is_grantable,
        (SELECT bool_or(has_server_privilege(h.oid, s.oid,
            privilege_type || CASE WHEN is_grantable THEN ' WITH GRANT OPTION' ELSE '' END)) FROM holder AS h)
    FROM role, pg_catalog.pg_foreign_server AS s, aclexplode(srvacl)
    WHERE grantee = active AND srvowner <> active
    UNION ALL
    SELECT 'LARGE OBJECT', m.oid::text, '', privilege_type, is_grantable,
        EXISTS (SELECT FROM aclexplode(lomacl) AS a WHERE a.privilege_type = b.privilege_type
                AND a.grantee IN (SELECT oid FROM holder) AND (a.is_grantable OR NOT b.is_grantable))
    FROM role, pg_catalog.pg_largeobject_metadata AS m, aclexplode(lomacl) AS b
    WHERE grantee = active AND lomowner <> active
    UNION ALL
    SELECT 'DATABASE', quote_ident(datname), '', privilege_type, is_grantable,
        (SELECT bool_or(has_database_privilege(h.oid, d.oid,
            privilege_type || CASE WHEN is_grantable THEN ' WITH GRANT OPTION' ELSE '' END)) FROM holder AS h)
    FROM role, pg_catalog.pg_database AS d, aclexplode(datacl)
    WHERE grantee = active AND datdba <> active
    UNION ALL
    SELECT 'TABLESPACE', quote_ident(spcname), '', privilege_type, is_grantable,
        (SELECT bool_or(has_tablespace_privilege(h.oid, t.oid,
            privilege_type || CASE WHEN is_grantable THEN ' WITH GRANT OPTION' ELSE '' END)) FROM holder AS h)
    FROM role, pg_catalog.pg_tablespace AS t, aclexplode(spcacl)
    WHERE grantee = active AND spcowner <> active
), standing AS (
    -- Of what the active role makes, to whom; and of what others make, to the active role.
    SELECT CASE defaclrole WHEN active THEN idle ELSE defaclrole END AS maker,
        quote_ident(CASE defaclrole WHEN active THEN name ELSE pg_get_userbyid(defaclrole) END) AS maker_name,
        CASE grantee WHEN active THEN idle ELSE grantee END AS taker,
        CASE grantee WHEN 0 THEN 'PUBLIC' WHEN active THEN quote_ident(name)
                     ELSE quote_ident(pg_get_userbyid(grantee)) END AS taker_name,
        defaclnamespace AS schema, defaclobjtype AS type, privilege_type, is_grantable
    FROM role, pg_catalog.pg_default_acl, aclexplode(defaclacl)
    -- What a role has of its own objects it has as their owner.
    WHERE (defaclrole = active) <> (grantee = active)
), default_entry AS (
    SELECT format('ALTER DEFAULT PRIVILEGES FOR ROLE %s%s GRANT %s ON %s TO %s%s', maker_name,
            (SELECT format(' IN SCHEMA %I', nspname) FROM pg_catalog.pg_namespace AS n WHERE n.oid = schema),
            privilege_type,
            CASE type WHEN 'r' THEN 'TABLES' WHEN 'S' THEN 'SEQUENCES' WHEN 'f' THEN 'FUNCTIONS' WHEN 'T' THEN 'TYPES'
                      ELSE 'SCHEMAS' END,
            taker_name, CASE WHEN is_grantable THEN ' WITH GRANT OPTION' ELSE '' END) AS statement
    FROM standing AS s
    WHERE NOT EXISTS (
        SELECT FROM pg_catalog.pg_default_acl AS d, aclexplode(d.defaclacl) AS a
        WHERE d.defaclrole = s.maker AND d.defaclnamespace = s.schema AND d.defaclobjtype = s.type
            AND a.grantee = s.taker AND a.privilege_type = s.privilege_type AND (a.is_grantable OR NOT s.is_grantable)
    )
)
SELECT format('%s%s on %s %s', privilege, suffix, lower(kind), object),
    format('GRANT %s%s ON %s %s TO %I%s', privilege, suffix, kind, object, name,
        CASE WHEN grantable THEN ' WITH GRANT OPTION' ELSE '' END)
FROM entry, role
WHERE NOT coalesce(held, false)
UNION
SELECT 'default privileges: ' || substr(statement, length('ALTER DEFAULT PRIVILEGES ') + 1), statement
FROM default_entry
ORDER BY 1
LIMIT 100000
