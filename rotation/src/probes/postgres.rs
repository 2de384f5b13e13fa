//! `postgres`: a login with a credential over a new connection, the way that consumers take (a pooler too), and a query.

use keytrail_rules::model::Secret;
use serde::Deserialize;
use sqlx::Row;

use super::{Health, Moment, Probe, ProbeKind};
use crate::context::{Act, Context};
use crate::credential::{Credential, VALUE};
use crate::failure::{Failure, Opened, Outcome};
use crate::postgres::Server;
use crate::settings::{Given, Settings};
use crate::workloads::Values;

/// `postgres`.
pub(super) static KIND: ProbeKind = ProbeKind {
    name: "postgres",
    about: "a login to PostgreSQL or PgBouncer over a new connection, and a query",
    open,
};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Table {
    /// `postgres://user@host:6432/database`; without a user, the part `user` of the credential.
    postgres: String,
    /// The item whose credential logs in (`ID`), or a part of it (`ID#part`).
    password_from: Option<String>,
    /// A password that is not rotated: of a client of PgBouncer, whose server's user is.
    password: Option<Given>,
    /// What is asked; `SELECT 1` if nothing else is.
    query: Option<String>,
    /// The first field of the first row.
    expect: Option<String>,
}

struct Login {
    table: Table,
    /// `None` where the URL names nobody.
    user: Option<String>,
}

fn open(settings: &Settings) -> Opened<dyn Probe> {
    let table: Table = settings.read()?;
    let server = Server::at(&table.postgres)?;
    let named = table.postgres.split_once("://").is_some_and(|(_, rest)| {
        rest.split(['/', '?']).next().is_some_and(|authority| authority.contains('@')) || rest.contains("user=")
    });
    if table.password_from.is_some() == table.password.is_some() {
        let failure = Failure::not_done("either `password_from` or `password` gives the password");
        return Err(failure.hint("name the item whose new value logs in: password_from = \"ID\""));
    }
    let user = named.then(|| server.user().to_owned());
    if user.is_none() && table.password.is_some() {
        return Err(Failure::not_done("the URL names no user").hint("write postgres://user@host/database"));
    }
    Ok(Box::new(Login { table, user }))
}

impl Login {
    /// Who logs in, and with what.
    fn credential(&self, values: &Values<'_>) -> Result<(String, Secret), Failure> {
        let Some(from) = &self.table.password_from else {
            let given = self.table.password.as_ref().ok_or_else(|| Failure::not_done("no password is given"))?;
            return Ok((self.user.clone().unwrap_or_default(), given.get()?));
        };
        let (item, part) = from.rsplit_once('#').unwrap_or((from, VALUE));
        let credential: &Credential = values.get(item).ok_or_else(|| {
            Failure::not_done(format!("{item} is not part of the group")).hint("correct `password_from`")
        })?;
        let text = |part: &str| credential.part(part).map(|text| text.expose().to_owned());
        let password = text(part).ok_or_else(|| Failure::not_done(format!("{item} has no part {part}")))?;
        let user = self.user.clone().or_else(|| text("user")).ok_or_else(|| {
            Failure::not_done(format!("who logs in with {item} is not known")).hint("name the user in the URL")
        })?;
        Ok((user, Secret::new(password)))
    }

    async fn look(&self, context: &Context, values: &Values<'_>) -> Result<Health, Failure> {
        let (user, password) = self.credential(values)?;
        let server = Server::at(&self.table.postgres)?.through_pooler().as_role(&user, &password);
        Ok(match self.ask(context, &server).await {
            Ok(first) => match &self.table.expect {
                Some(expected) if first.as_ref() != Some(expected) => {
                    Health::Unhealthy(format!("{} gives another answer than expected", server.name()))
                }
                _ => Health::Healthy(format!("{user} is let in")),
            },
            Err(failure) if failure.outcome == Outcome::NotDone => Health::Unhealthy(failure.what),
            Err(failure) => Health::Unknown(failure.what),
        })
    }

    async fn ask(&self, context: &Context, server: &Server) -> Result<Option<String>, Failure> {
        let mut session = server.connect(context).await?;
        let rows = session.show(self.table.query.as_deref().unwrap_or("SELECT 1")).await?;
        session.close().await;
        Ok(rows.first().and_then(|row| row.try_get_unchecked::<Option<String>, _>(0).ok().flatten()))
    }
}

impl Probe for Login {
    fn check<'a>(&'a self, context: &'a Context, _moment: &'a Moment, values: &'a Values<'a>) -> Act<'a, Health> {
        Box::pin(self.look(context, values))
    }
}
