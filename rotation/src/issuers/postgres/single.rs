//! One role, one password.

use super::{
    Act, Answer, Base, Chooser, Context, Credential, Failure, Issuer, Nature, Overlap, PREVIOUS, RoleName, Session,
    VERIFIER, kept, later, put, standing, terminate, value,
};
use crate::credential::same;
use crate::postgres::scram;

/// The issuer of a single role.
pub(super) struct Single {
    pub(super) base: Base,
    pub(super) role: RoleName,
}

impl Single {
    /// A session that may change the role. Where the role changes itself, its password is one of those that are known, or
    /// the given one.
    async fn admin(&self, context: &Context, known: [Option<&Credential>; 2]) -> Result<Session, Failure> {
        let server = self.base.table.admin.server()?;
        if server.user() == self.role.as_str() {
            for credential in known.into_iter().flatten() {
                match server.as_role(self.role.as_str(), value(credential)?).connect(context).await {
                    Ok(session) => return Ok(session),
                    Err(trouble) if trouble.answer == Answer::Rejected => {}
                    Err(trouble) => return Err(trouble.failure),
                }
            }
        }
        Ok(server.connect(context).await?)
    }

    async fn inspect(&self, context: &Context, old: Option<&Credential>) -> Result<Vec<String>, Failure> {
        let role = self.role.as_str();
        let mut session = self.admin(context, [old, None]).await?;
        let mut wrong = standing(&mut session, &self.role).await?;
        session.close().await;
        if wrong.is_empty() {
            wrong.extend(self.base.doors(context, role).await?);
        }
        if let Some(old) = old
            && wrong.is_empty()
            && self.base.check(context, role, old).await? != Answer::Works
        {
            wrong.push(format!("{role} cannot log in with its present password"));
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
        let mut session = self.admin(context, [old, Some(chosen)]).await?;
        let before = kept(&mut session, &self.role).await?;
        if let (Some(before), Some(verifier)) = (&before, chosen.part(VERIFIER))
            && same(before, verifier)
        {
            return Ok(chosen.duplicate());
        }
        let given = self.base.give(context, &mut session, &self.role, "", chosen).await?;
        session.close().await;
        Ok(match before {
            Some(before) => given.with(PREVIOUS, before),
            None => given,
        })
    }

    /// Whoever keeps the old verifier too (PgBouncer) needs the same one back, and not another of the same password.
    async fn restore(
        &self,
        context: &Context,
        old: Option<&Credential>,
        new: Option<&Credential>,
    ) -> Result<(), Failure> {
        let mut session = self.admin(context, [new, old]).await?;
        let present = kept(&mut session, &self.role).await?;
        let previous = new.and_then(|new| new.part(PREVIOUS));
        let Some(old) = old else {
            let Some(previous) = previous else {
                let failure = Failure::not_done(format!("the earlier password of {} is not known", self.role));
                return Err(failure.hint("set it by hand"));
            };
            return put(&mut session, &self.role, "", previous).await;
        };
        let password = value(old)?;
        if present.as_ref().is_some_and(|present| scram::matches(present, password)) {
            return Ok(());
        }
        let fits = |verifier: &&keytrail_rules::model::Secret| {
            scram::matches(verifier, password) || !scram::is_verifier(verifier.expose())
        };
        match old.part(VERIFIER).filter(fits).or(previous.filter(fits)) {
            Some(verifier) => put(&mut session, &self.role, "", verifier).await?,
            None => put(&mut session, &self.role, "", &scram::verifier(password)?).await?,
        }
        session.close().await;
        Ok(())
    }

    async fn end(&self, context: &Context, old: &Credential, new: Option<&Credential>) -> Result<(), Failure> {
        if let Some(new) = new
            && self.base.check(context, self.role.as_str(), new).await? == Answer::Rejected
        {
            self.give(context, Some(old), Some(new)).await?;
        }
        if self.base.table.terminate {
            let mut session = self.admin(context, [new, Some(old)]).await.map_err(later)?;
            terminate(&mut session, &self.role).await.map_err(later)?;
            session.close().await;
        }
        Ok(())
    }
}

impl Issuer for Single {
    fn nature(&self) -> Nature {
        Nature { chooser: Chooser::Keytrail, overlap: Overlap::One, answers: true }
    }

    fn preflight<'a>(&'a self, context: &'a Context, old: Option<&'a Credential>) -> Act<'a, Vec<String>> {
        Box::pin(self.inspect(context, old))
    }

    fn choose(&self, _old: Option<&Credential>) -> Result<Option<Credential>, Failure> {
        self.base.choose(&self.role).map(Some)
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
        Box::pin(self.base.check(context, self.role.as_str(), credential))
    }

    fn withdraw<'a>(
        &'a self,
        context: &'a Context,
        old: Option<&'a Credential>,
        new: Option<&'a Credential>,
    ) -> Act<'a, ()> {
        Box::pin(self.restore(context, old, new))
    }

    fn revoke<'a>(&'a self, context: &'a Context, old: &'a Credential, new: Option<&'a Credential>) -> Act<'a, ()> {
        Box::pin(self.end(context, old, new))
    }
}
