//! Making one role like another, and saying what it lacks.

use std::collections::BTreeSet;

use super::{Base, Context, Failure, RoleName, Session};
use crate::postgres::identifier;

const GRANTS: &str = include_str!("grants.sql");
const MEND: &str = include_str!("mend.sql");

/// Databases in which a role owns or was granted something.
const DATABASES: &str = "SELECT DISTINCT datname::text FROM pg_catalog.pg_shdepend AS s \
     JOIN pg_catalog.pg_database AS d ON d.oid = s.dbid \
     WHERE refclassid = 'pg_catalog.pg_authid'::pg_catalog.regclass AND datallowconn \
     AND refobjid = (SELECT oid FROM pg_catalog.pg_roles WHERE rolname = $1) ORDER BY 1";

/// How many objects a role owns in this database, and of those that all databases share. Its default privileges, which
/// are its own too, are no object.
const OWNED: &str = "SELECT count(*) FROM pg_catalog.pg_shdepend WHERE deptype = 'o' \
     AND classid <> 'pg_catalog.pg_default_acl'::pg_catalog.regclass \
     AND dbid IN (0, (SELECT oid FROM pg_catalog.pg_database WHERE datname = current_database())) \
     AND refclassid = 'pg_catalog.pg_authid'::pg_catalog.regclass \
     AND refobjid = (SELECT oid FROM pg_catalog.pg_roles WHERE rolname = $1)";

/// The groups of a role that the other one is not in.
const GROUPS: &str = "SELECT pg_get_userbyid(roleid)::text FROM pg_catalog.pg_auth_members \
     WHERE member = (SELECT oid FROM pg_catalog.pg_roles WHERE rolname = $1) AND roleid NOT IN (\
         SELECT roleid FROM pg_catalog.pg_auth_members AS m JOIN pg_catalog.pg_roles AS r ON r.oid = m.member \
         WHERE rolname = $2) ORDER BY 1";

const ACTS_AS: &str = "SELECT EXISTS (SELECT FROM pg_catalog.pg_db_role_setting, unnest(setconfig) AS setting \
     WHERE setrole = (SELECT oid FROM pg_catalog.pg_roles WHERE rolname = $1) AND setting IN ('role=' || $2, \
         'role=' || quote_ident($2)))";

/// So many differences are named.
const NAMED: usize = 10;

/// Begins a transaction in which names are told with their schemas.
pub(super) async fn begin(session: &mut Session) -> Result<(), Failure> {
    session.begin().await?;
    session.run("SET LOCAL search_path = ''").await
}

/// Makes `idle` what `active` is in the cluster, within a transaction.
pub(super) async fn mend(session: &mut Session, active: &RoleName, idle: &RoleName) -> Result<(), Failure> {
    let steps: Vec<(String,)> = session.rows(MEND, &[active.as_str(), idle.as_str()]).await?;
    for (step,) in steps {
        session.run(&step).await?;
    }
    Ok(())
}

impl Base {
    /// A session in each database in which `active` has anything.
    async fn everywhere(&self, context: &Context, active: &RoleName) -> Result<Vec<(String, Session)>, Failure> {
        let server = self.table.admin.server()?;
        let mut first = server.connect(context).await?;
        let names: Vec<(String,)> = first.rows(DATABASES, &[active.as_str()]).await?;
        let (here,): (String,) = first.row("SELECT current_database()::text", &[]).await?;
        let mut sessions = Vec::new();
        for (name,) in names.into_iter().filter(|(name,)| *name != here) {
            sessions.push((name.clone(), server.in_database(&name).connect(context).await?));
        }
        sessions.push((here, first));
        Ok(sessions)
    }

    /// What `idle` would lack of what `active` has, in words.
    pub(super) async fn lacks(
        &self,
        context: &Context,
        active: &RoleName,
        idle: &RoleName,
    ) -> Result<Vec<String>, Failure> {
        let mut lacking = BTreeSet::new();
        for (database, mut session) in self.everywhere(context, active).await? {
            begin(&mut session).await?;
            if !self.table.copy_grants {
                let grants: Vec<(String, String)> = session.rows(GRANTS, &[active.as_str(), idle.as_str()]).await?;
                lacking.extend(grants.into_iter().map(|(grant, _)| format!("{grant} in {database}")));
            }
            let (owned,): (i64,) = session.row(OWNED, &[active.as_str()]).await?;
            if owned > 0 && !self.table.reassign {
                lacking.insert(format!("the ownership of {owned} objects in {database}"));
            }
            session.commit().await?;
            session.close().await;
        }
        if lacking.is_empty() {
            return Ok(Vec::new());
        }
        let more = lacking.len().saturating_sub(NAMED);
        let mut named = lacking.into_iter().take(NAMED).collect::<Vec<_>>().join("; ");
        if more > 0 {
            named.push_str(&format!("; and {more} more"));
        }
        let hint = "let both act as one `owner`, or set copy_grants = true (and reassign = true for what it owns)";
        Ok(vec![format!("{idle} would not have what {active} has: {named}: {hint}")])
    }

    /// What `idle` has more than `active`, and where new objects would be owned by one of the two.
    pub(super) async fn strays(
        &self,
        session: &mut Session,
        active: &RoleName,
        idle: &RoleName,
    ) -> Result<Vec<String>, Failure> {
        let more: Vec<(String,)> = session.rows(GROUPS, &[idle.as_str(), active.as_str()]).await?;
        let owner = self.table.owner.as_ref();
        let more = more.into_iter().filter(|(group,)| owner.is_none_or(|owner| owner.as_str() != group));
        let mut wrong: Vec<String> =
            more.map(|(group,)| format!("{idle} is a member of {group}, and {active} is not")).collect();
        if let Some(owner) = owner {
            let (acts,): (bool,) = session.row(ACTS_AS, &[active.as_str(), owner.as_str()]).await?;
            if !acts {
                let statement = format!("ALTER ROLE {} SET role = {}", active.quoted(), owner.quoted());
                wrong.push(format!("{active} does not act as {owner}, and would own what it makes: {statement}"));
            }
        }
        Ok(wrong)
    }

    /// Grants `idle` what `active` was granted, and gives away what it owns, as far as the config says so.
    pub(super) async fn copy(&self, context: &Context, active: &RoleName, idle: &RoleName) -> Result<(), Failure> {
        if !self.table.copy_grants && !self.table.reassign {
            return Ok(());
        }
        for (_, mut session) in self.everywhere(context, active).await? {
            begin(&mut session).await?;
            if self.table.copy_grants {
                let grants: Vec<(String, String)> = session.rows(GRANTS, &[active.as_str(), idle.as_str()]).await?;
                for (_, grant) in grants {
                    session.run(&grant).await?;
                }
            }
            if let Some(owner) = self.table.owner.as_ref().filter(|_| self.table.reassign) {
                session
                    .run(&format!("REASSIGN OWNED BY {} TO {}", active.quoted(), identifier(owner.as_str())))
                    .await?;
            }
            session.commit().await?;
            session.close().await;
        }
        Ok(())
    }
}
