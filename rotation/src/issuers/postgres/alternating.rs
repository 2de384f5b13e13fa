//! Two roles in turns: while consumers use the one, the other one gets a new password.

use std::time::{Duration, Instant};

use keytrail_rules::model::Secret;

use super::{
    Act, Answer, Base, Chooser, Context, Credential, Failure, Issuer, Nature, Overlap, RoleName, Session, USER,
    VERIFIER, exists, kept, later, likeness, standing, terminate,
};
use crate::credential::same;
use crate::postgres::console::Console;

/// How often the sessions of a role are counted that is to be retired.
const GLANCE: Duration = Duration::from_millis(200);

/// Sessions of a role but for those that have been idle for so many seconds. An admin who may not see what a session does
/// counts it.
const SESSIONS: &str = "SELECT count(*) FROM pg_catalog.pg_stat_activity WHERE usename = $1 \
     AND (state = 'idle' AND state_change < now() - make_interval(secs => $2::text::float8)) IS NOT TRUE";

const END_IDLE: &str = "SELECT count(pg_terminate_backend(pid)) FROM pg_catalog.pg_stat_activity \
     WHERE usename = $1 AND state = 'idle'";

/// Longer than any session.
const NEVER: u32 = u32::MAX;

/// The issuer of two roles.
pub(super) struct Alternating {
    pub(super) base: Base,
    pub(super) roles: [RoleName; 2],
}

impl Alternating {
    /// The role of a credential, and the other one.
    fn turn(&self, credential: &Credential) -> Result<(&RoleName, &RoleName), Failure> {
        let [one, other] = &self.roles;
        let user = credential.part(USER).map(Secret::expose).ok_or_else(|| {
            Failure::not_done("which of the two roles is in use is not known")
                .hint("name the place of the role: parts = { user = [\"STORE:PATH#KEY\"] }")
        })?;
        match user {
            user if user == one.as_str() => Ok((one, other)),
            user if user == other.as_str() => Ok((other, one)),
            _ => Err(Failure::not_done(format!("the role in use is neither {one} nor {other}"))
                .hint("correct `alternating`, or the role in the store")),
        }
    }

    /// The roles in use and not in use, when one credential or both are known.
    fn turns(&self, old: Option<&Credential>, new: Option<&Credential>) -> Result<(&RoleName, &RoleName), Failure> {
        match (old, new) {
            (Some(old), None) => self.turn(old),
            (None, Some(new)) => self.turn(new).map(|(idle, active)| (active, idle)),
            (None, None) => Err(Failure::not_done("neither credential is known")),
            (Some(old), Some(new)) => {
                let (active, idle) = self.turn(old)?;
                if self.turn(new)?.0 == active {
                    return Err(Failure::not_done(format!("both credentials are of {active}")));
                }
                Ok((active, idle))
            }
        }
    }

    /// A session that is neither role's.
    async fn admin(&self, context: &Context) -> Result<Session, Failure> {
        let mut session = self.base.admin(context).await?;
        let (user,): (String,) = session.row("SELECT session_user::text", &[]).await?;
        if self.roles.iter().any(|role| role.as_str() == user) {
            let failure = Failure::not_done(format!("the admin role is {user}, one of the two roles"));
            return Err(failure.hint("give `admin` a role of its own"));
        }
        Ok(session)
    }

    async fn inspect(&self, context: &Context, old: Option<&Credential>) -> Result<Vec<String>, Failure> {
        let Some(old) = old else {
            return Ok(vec!["alternating roles need the present credential".to_owned()]);
        };
        let (active, idle) = self.turn(old)?;
        let mut session = self.admin(context).await?;
        let mut wrong = standing(&mut session, active).await?;
        if !wrong.is_empty() {
            return Ok(wrong);
        }
        wrong.extend(self.powers(&mut session, active, idle).await?);
        wrong.extend(self.base.strays(&mut session, active, idle).await?);
        session.close().await;
        wrong.extend(self.base.lacks(context, active, idle).await?);
        wrong.extend(self.base.doors(context, active.as_str()).await?);
        if self.base.check(context, active.as_str(), old).await? != Answer::Works {
            wrong.push(format!("{active} cannot log in with its present password"));
        }
        Ok(wrong)
    }

    /// Superusers, sessions of the idle role, the owner.
    async fn powers(&self, session: &mut Session, active: &RoleName, idle: &RoleName) -> Result<Vec<String>, Failure> {
        let mut wrong = Vec::new();
        for role in [active, idle] {
            let query = "SELECT EXISTS (SELECT FROM pg_catalog.pg_roles WHERE rolname = $1 AND rolsuper)";
            if session.row::<(bool,)>(query, &[role.as_str()]).await?.0 {
                wrong.push(format!("{role} is a superuser: alternating roles are for applications"));
            }
        }
        let used = self.sessions(session, idle).await?;
        if used > 0 {
            wrong.push(format!("{idle} has {used} sessions, and is to be the one that nobody uses"));
        }
        if let Some(owner) = &self.base.table.owner {
            let query = "SELECT rolcanlogin FROM pg_catalog.pg_roles WHERE rolname = $1";
            match session.rows::<(bool,)>(query, &[owner.as_str()]).await?.first() {
                None => wrong.push(format!("there is no role {owner}")),
                Some((true,)) => wrong.push(format!("{owner} may log in: ALTER ROLE {} NOLOGIN", owner.quoted())),
                Some((false,)) => {}
            }
        }
        Ok(wrong)
    }

    async fn give(
        &self,
        context: &Context,
        old: Option<&Credential>,
        chosen: Option<&Credential>,
    ) -> Result<Credential, Failure> {
        let chosen = chosen.ok_or_else(|| Failure::not_done("no new password was chosen"))?;
        let old = old.ok_or_else(|| Failure::not_done("alternating roles need the present credential"))?;
        let (active, idle) = self.turns(Some(old), Some(chosen))?;
        let mut session = self.admin(context).await?;
        if let Some(lacking) = self.base.lacks(context, active, idle).await?.pop() {
            return Err(Failure::not_done(lacking));
        }
        self.alike(&mut session, active, idle).await?;
        self.base.copy(context, active, idle).await?;
        // What the server keeps already is not written again: each writing would be one more change in its trail.
        let present = kept(&mut session, idle).await?;
        let (may_login,): (bool,) =
            session.row("SELECT rolcanlogin FROM pg_catalog.pg_roles WHERE rolname = $1", &[idle.as_str()]).await?;
        if let (Some(present), Some(verifier)) = (&present, chosen.part(VERIFIER))
            && may_login
            && same(present, verifier)
        {
            return Ok(chosen.duplicate());
        }
        let given = self.base.give(context, &mut session, idle, " LOGIN", chosen).await?;
        session.close().await;
        Ok(given)
    }

    /// Makes the idle role, and makes it like the active one.
    async fn alike(&self, session: &mut Session, active: &RoleName, idle: &RoleName) -> Result<(), Failure> {
        likeness::begin(session).await?;
        if !exists(session, idle).await? {
            session.run(&format!("CREATE ROLE {} NOLOGIN", idle.quoted())).await?;
        }
        likeness::mend(session, active, idle).await?;
        if let Some(owner) = &self.base.table.owner {
            let query = "SELECT pg_has_role($1::name, $2::name, 'MEMBER')";
            if !session.row::<(bool,)>(query, &[idle.as_str(), owner.as_str()]).await?.0 {
                session.run(&format!("GRANT {} TO {}", owner.quoted(), idle.quoted())).await?;
            }
        }
        session.commit().await
    }

    async fn undo(&self, context: &Context, old: Option<&Credential>, new: Option<&Credential>) -> Result<(), Failure> {
        let (_, idle) = self.turns(old, new)?;
        let mut session = self.admin(context).await?;
        retire(&mut session, idle).await?;
        session.close().await;
        Ok(())
    }

    async fn end(&self, context: &Context, old: &Credential, new: Option<&Credential>) -> Result<(), Failure> {
        let (former, active) = self.turns(Some(old), new)?;
        let mut session = self.admin(context).await?;
        let orderly = match new {
            Some(new) => {
                if self.base.check(context, active.as_str(), new).await? != Answer::Works {
                    let failure = Failure::unknown(format!("{active} is not let in: {former} is not retired"));
                    return Err(failure.hint("find out why its password was changed"));
                }
                true
            }
            None => false,
        };
        if orderly && !self.drained(context, &mut session, former).await? && !self.base.table.terminate {
            let seconds = self.base.table.drain;
            let failure = Failure::unknown(format!("{former} still has sessions after {seconds} s: it is not retired"));
            return Err(failure.hint("restart who uses it and resume, or set terminate = true"));
        }
        retire(&mut session, former).await?;
        if self.base.table.terminate {
            terminate(&mut session, former).await.map_err(later)?;
        } else if self.base.table.idle.is_some() {
            session.row::<(i64,)>(END_IDLE, &[former.as_str()]).await.map_err(later)?;
        }
        session.close().await;
        Ok(())
    }

    async fn sessions(&self, session: &mut Session, role: &RoleName) -> Result<i64, Failure> {
        let idle = self.base.table.idle.unwrap_or(NEVER).to_string();
        Ok(session.row::<(i64,)>(SESSIONS, &[role.as_str(), &idle]).await?.0)
    }

    /// Waits until nobody is logged in as a role, for as long as the config says.
    async fn drained(&self, context: &Context, session: &mut Session, role: &RoleName) -> Result<bool, Failure> {
        let end = Instant::now() + Duration::from_secs(self.base.table.drain);
        let mut poolers = Vec::new();
        for address in &self.base.table.poolers {
            poolers.push(Console::open(address, context).await?);
        }
        loop {
            let mut clients = 0;
            for pooler in &mut poolers {
                clients += pooler.clients(role.as_str()).await?;
            }
            if clients == 0 && self.sessions(session, role).await? == 0 {
                return Ok(true);
            }
            if Instant::now() >= end {
                return Ok(false);
            }
            tokio::time::sleep(GLANCE).await;
        }
    }
}

/// Lets a role in no more. Its sessions go on.
async fn retire(session: &mut Session, role: &RoleName) -> Result<(), Failure> {
    if !exists(session, role).await? {
        return Ok(());
    }
    session.begin().await?;
    session.run(&format!("ALTER ROLE {} NOLOGIN PASSWORD NULL", role.quoted())).await?;
    session.commit().await
}

impl Issuer for Alternating {
    fn nature(&self) -> Nature {
        Nature { chooser: Chooser::Keytrail, overlap: Overlap::Both, answers: true }
    }

    fn preflight<'a>(&'a self, context: &'a Context, old: Option<&'a Credential>) -> Act<'a, Vec<String>> {
        Box::pin(self.inspect(context, old))
    }

    fn choose(&self, old: Option<&Credential>) -> Result<Option<Credential>, Failure> {
        let old = old.ok_or_else(|| Failure::not_done("alternating roles need the present credential"))?;
        let (_, idle) = self.turn(old)?;
        self.base.choose(idle).map(Some)
    }

    fn set<'a>(
        &'a self,
        context: &'a Context,
        old: Option<&'a Credential>,
        chosen: Option<&'a Credential>,
    ) -> Act<'a, Credential> {
        Box::pin(self.give(context, old, chosen))
    }

    fn check<'a>(&'a self, context: &'a Context, credential: &'a Credential) -> Act<'a, Answer> {
        Box::pin(async move {
            let (role, _) = self.turn(credential)?;
            self.base.check(context, role.as_str(), credential).await
        })
    }

    fn withdraw<'a>(
        &'a self,
        context: &'a Context,
        old: Option<&'a Credential>,
        new: Option<&'a Credential>,
    ) -> Act<'a, ()> {
        Box::pin(self.undo(context, old, new))
    }

    fn revoke<'a>(&'a self, context: &'a Context, old: &'a Credential, new: Option<&'a Credential>) -> Act<'a, ()> {
        Box::pin(self.end(context, old, new))
    }
}
