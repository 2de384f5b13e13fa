//! `postgres`: the password of a role, or of two roles in turns.
//!
//! The password itself does not go to the server: a SCRAM verifier of it does, made with the password and kept with it, so
//! that setting it again changes nothing (part `verifier`; PgBouncer can be given the same one). A server that refuses
//! verifiers (Neon: at COMMIT) is given the password where `plaintext = true` allows it, over TLS or within the machine
//! only, bound to a statement that no log of statements shows.
//!
//! A single `role` has one password: the old one ends when the new one is set. `alternating` roles have two: the idle one
//! is made like the active one and given a new password, consumers go over, and once nobody is logged in as the other one
//! any more it may not log in.
//!
//! # Guarantees
//! 1. A role that is in use is never changed but by its revocation; the role that Keytrail itself is logged in with is not,
//!    unless it is the single role.
//! 2. What is changed together is one transaction; every statement is one that changes nothing when it is run again.
//! 3. The last act of `set` is the one that lets the idle role in: before it, the role may do all that the active one may.
//! 4. A role is retired only while the other one is let in.
//!
//! # Assumptions
//! 1. The admin role may change the roles: a superuser, or one with CREATEROLE (from PostgreSQL 16 on with ADMIN OPTION).
//! 2. Clients of a PgBouncer that has no session for them at the moment are seen if it is one of `poolers`.

use keytrail_rules::model::Secret;
use serde::Deserialize;

use super::{Chooser, Issuer, IssuerKind, Nature, Overlap};
use crate::context::{Act, Context};
use crate::credential::{Credential, VALUE};
use crate::failure::{Failure, Opened, Outcome};
use crate::postgres::{Address, RoleName, Server, Session, literal, scram};
use crate::settings::Settings;
use crate::state::Answer;

mod alternating;
mod likeness;
mod single;

/// `postgres`.
pub(super) static KIND: IssuerKind =
    IssuerKind { name: "postgres", about: "the password of a PostgreSQL role, or of two roles in turns", open };

/// The part that names the role.
const USER: &str = "user";
/// The part that is what the server keeps.
const VERIFIER: &str = "verifier";
/// The part that is what the server kept before.
const PREVIOUS: &str = "previous_verifier";

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Table {
    /// Where Keytrail logs in to change roles.
    admin: Address,
    /// Where the roles log in: a URL without user; by default as `admin`.
    login: Option<String>,
    /// The single role.
    role: Option<RoleName>,
    /// The two roles.
    alternating: Option<[RoleName; 2]>,
    /// The role that both act as, and that owns what they make.
    owner: Option<RoleName>,
    /// Whether what one role was granted is granted to the other.
    #[serde(default)]
    copy_grants: bool,
    /// Whether what the active role owns is given to `owner`. Takes an exclusive lock on each table.
    #[serde(default)]
    reassign: bool,
    /// How long a revocation waits until nobody is logged in as the old role, in seconds.
    #[serde(default = "minute")]
    drain: u64,
    /// Admin consoles of the PgBouncers that the roles log in through: who is connected there counts, too.
    #[serde(default)]
    poolers: Vec<Address>,
    /// After how many seconds a session of the old role that does nothing is one that a pooler keeps for nobody: a
    /// revocation does not wait for it, and ends it.
    idle: Option<u32>,
    /// Whether a revocation ends whatever sessions are left.
    #[serde(default)]
    terminate: bool,
    /// How many letters and digits a password has.
    #[serde(default = "forty")]
    length: usize,
    /// Whether a server that refuses verifiers is given the password.
    #[serde(default)]
    plaintext: bool,
}

fn minute() -> u64 {
    60
}

fn forty() -> usize {
    40
}

fn open(settings: &Settings) -> Opened<dyn Issuer> {
    let mut table: Table = settings.read()?;
    let wrong = |what: &str, hint: &str| Err(Failure::not_done(what).hint(hint));
    if !(20..=200).contains(&table.length) {
        return wrong("`length` of a password is out of bounds", "use 20 to 200");
    }
    if let Some(url) = &table.login {
        Server::at(url)?;
    }
    match (table.role.take(), table.alternating.take()) {
        (Some(_), None)
            if table.owner.is_some()
                || table.copy_grants
                || table.reassign
                || table.idle.is_some()
                || !table.poolers.is_empty() =>
        {
            let what = "`owner`, `copy_grants`, `reassign`, `poolers` and `idle` are for alternating roles";
            wrong(what, "take them out")
        }
        (Some(role), None) => Ok(Box::new(single::Single { base: Base { table }, role })),
        (None, Some([one, other])) if one == other => wrong("`alternating` names one role twice", "name two roles"),
        (None, Some(_)) if table.reassign && table.owner.is_none() => {
            wrong("`reassign` needs an `owner` to give to", "name the role that is to own the objects")
        }
        (None, Some(roles)) => Ok(Box::new(alternating::Alternating { base: Base { table }, roles })),
        _ => wrong("either `role` or `alternating` names what is rotated", "name one role, or two in turns"),
    }
}

/// What both kinds have.
struct Base {
    table: Table,
}

impl Base {
    fn choose(&self, role: &RoleName) -> Result<Credential, Failure> {
        let value = scram::password(self.table.length)?;
        let verifier = scram::verifier(&value)?;
        Ok(Credential::of_value(value).with(USER, Secret::from(role.as_str())).with(VERIFIER, verifier))
    }

    async fn admin(&self, context: &Context) -> Result<Session, Failure> {
        Ok(self.table.admin.server()?.connect(context).await?)
    }

    /// Where the roles log in.
    fn door(&self) -> Result<Server, Failure> {
        match &self.table.login {
            Some(url) => Server::at(url),
            None => self.table.admin.server(),
        }
    }

    async fn check(&self, context: &Context, role: &str, credential: &Credential) -> Result<Answer, Failure> {
        Ok(self.door()?.admits(context, role, value(credential)?).await)
    }

    /// What is wrong with asking this server for a role's password at all.
    async fn doors(&self, context: &Context, role: &str) -> Result<Vec<String>, Failure> {
        let door = self.door()?;
        let anything = scram::password(40)?;
        Ok(match door.admits(context, role, &anything).await {
            Answer::Works => vec![format!("{} lets {role} in with any password: mend pg_hba.conf", door.name())],
            Answer::Unknown => vec![format!("{} does not answer to a login of {role}", door.name())],
            Answer::Rejected => Vec::new(),
        })
    }

    /// Lets a role in with a password: `more` (`LOGIN`) is part of the same statement. Gives the credential that the
    /// server has now.
    async fn give(
        &self,
        context: &Context,
        session: &mut Session,
        role: &RoleName,
        more: &str,
        credential: &Credential,
    ) -> Result<Credential, Failure> {
        let verifier =
            credential.part(VERIFIER).ok_or_else(|| Failure::not_done("the new password has no verifier"))?;
        match put(session, role, more, verifier).await {
            Ok(()) => Ok(credential.duplicate()),
            Err(failure) if failure.outcome == Outcome::NotDone && self.table.plaintext => {
                self.give_plaintext(context, role, more, credential).await
            }
            Err(failure) => Err(failure),
        }
    }

    /// The same with the password itself. A bound text is in no log of statements but where all are logged with what is
    /// bound to them, which is seen to.
    async fn give_plaintext(
        &self,
        context: &Context,
        role: &RoleName,
        more: &str,
        credential: &Credential,
    ) -> Result<Credential, Failure> {
        const QUIET: [&str; 4] = [
            "SET LOCAL log_statement = 'none'",
            "SET LOCAL log_min_duration_statement = -1",
            "SET LOCAL log_min_error_statement = 'panic'",
            "SET LOCAL log_parameter_max_length = 0",
        ];
        const PRIVATE: &str = "SELECT coalesce((SELECT ssl FROM pg_catalog.pg_stat_ssl WHERE pid = pg_backend_pid()), false) \
             OR coalesce(inet_client_addr() <<= '127.0.0.0/8' OR inet_client_addr() = '::1', true)";
        const SILENT: &str = "SELECT current_setting('log_statement') <> 'all' \
             AND current_setting('log_min_duration_statement') = '-1'";
        let mut session = self.admin(context).await?;
        session.begin().await?;
        let (private,): (bool,) = session.row(PRIVATE, &[]).await?;
        if !private {
            let failure = Failure::not_done("the server refuses verifiers, and the connection is not encrypted");
            return Err(failure.hint("add sslmode=verify-full to the URL of `admin`"));
        }
        for quiet in QUIET {
            session.run("SAVEPOINT quiet").await?;
            let ended = if session.run(quiet).await.is_ok() { "RELEASE quiet" } else { "ROLLBACK TO quiet" };
            session.run(ended).await?;
        }
        let (silent,): (bool,) = session.row(SILENT, &[]).await?;
        if !silent {
            let failure = Failure::not_done("the server refuses verifiers, and its log would hold the password");
            return Err(
                failure.hint("set log_statement = 'ddl' and log_min_duration_statement = -1 for the admin role")
            );
        }
        let password = value(credential)?.expose();
        session.row::<(String,)>("SELECT left(set_config('keytrail.password', $1, true), 0)", &[password]).await?;
        let alter = format!("ALTER ROLE {}{more} PASSWORD %L", role.quoted().replace('%', "%%"));
        let body = format!("BEGIN EXECUTE format({}, current_setting('keytrail.password')); END", literal(&alter));
        session.run(&format!("DO {}", literal(&body))).await?;
        session.commit().await?;
        let kept = kept(&mut session, role).await?;
        session.close().await;
        let made = Credential::of_value(Secret::from(password)).with(USER, Secret::from(role.as_str()));
        Ok(match kept {
            Some(verifier) => made.with(VERIFIER, verifier),
            None => made,
        })
    }
}

/// Makes the server keep a verifier for a role.
async fn put(session: &mut Session, role: &RoleName, more: &str, verifier: &Secret) -> Result<(), Failure> {
    session.begin().await?;
    session.run(&format!("ALTER ROLE {}{more} PASSWORD {}", role.quoted(), literal(verifier.expose()))).await?;
    session.commit().await
}

/// What the server keeps of a role's password; `None` where it keeps nothing, or does not let it be read.
async fn kept(session: &mut Session, role: &RoleName) -> Result<Option<Secret>, Failure> {
    let (allowed,): (bool,) = session.row("SELECT has_table_privilege('pg_catalog.pg_authid', 'SELECT')", &[]).await?;
    if !allowed {
        return Ok(None);
    }
    let rows: Vec<(Option<String>,)> =
        session.rows("SELECT rolpassword FROM pg_catalog.pg_authid WHERE rolname = $1", &[role.as_str()]).await?;
    Ok(rows.into_iter().next().and_then(|(verifier,)| verifier).map(Secret::new))
}

/// Whether a role is there.
async fn exists(session: &mut Session, role: &RoleName) -> Result<bool, Failure> {
    let query = "SELECT EXISTS (SELECT FROM pg_catalog.pg_roles WHERE rolname = $1)";
    Ok(session.row::<(bool,)>(query, &[role.as_str()]).await?.0)
}

/// What would keep an admin from changing a role, and a role from being let in.
async fn standing(session: &mut Session, role: &RoleName) -> Result<Vec<String>, Failure> {
    const QUERY: &str = "SELECT target.rolcanlogin, coalesce(target.rolvaliduntil < now() + interval '1 day', false), \
         me.rolsuper OR target.rolname = me.rolname OR (me.rolcreaterole AND NOT target.rolsuper AND \
            (current_setting('server_version_num')::int < 160000 \
             OR pg_has_role(me.oid, target.oid, 'MEMBER WITH ADMIN OPTION'))) \
         FROM pg_catalog.pg_roles AS target, pg_catalog.pg_roles AS me \
         WHERE target.rolname = $1 AND me.rolname = current_user";
    let rows: Vec<(bool, bool, bool)> = session.rows(QUERY, &[role.as_str()]).await?;
    let Some((may_login, ends, may_change)) = rows.into_iter().next() else {
        return Ok(vec![format!("there is no role {role}")]);
    };
    let mut wrong = Vec::new();
    wrong.extend((!may_login).then(|| format!("{role} may not log in")));
    wrong.extend(ends.then(|| format!("the password of {role} has VALID UNTIL in the past or within a day")));
    wrong.extend((!may_change).then(|| format!("the admin role may not change {role}")));
    Ok(wrong)
}

/// Ends the sessions of a role.
async fn terminate(session: &mut Session, role: &RoleName) -> Result<(), Failure> {
    const QUERY: &str = "SELECT count(pg_terminate_backend(pid)) FROM pg_catalog.pg_stat_activity \
         WHERE usename = $1 AND pid <> pg_backend_pid()";
    session.row::<(i64,)>(QUERY, &[role.as_str()]).await.map(drop)
}

fn value(credential: &Credential) -> Result<&Secret, Failure> {
    credential.part(VALUE).ok_or_else(|| Failure::not_done("the credential has no value"))
}

/// What is left to do after the old password ended is done again, never turned back from.
fn later(failure: Failure) -> Failure {
    Failure { outcome: Outcome::Unknown, ..failure }
}
