//! `pgbouncer:NAME`: PgBouncer, which logs in to the server for its clients with a copy of the credential: that of the
//! user that its database is given (`[databases] app = … user=app_a password=…`, a *forced* user), or those of
//! `userlist.txt`.
//!
//! With a forced user the switch is `PAUSE database`, new files, `RELOAD`, `RESUME database`: a `RELOAD` alone ends server
//! logins that are under way, counts them as failed, and refuses clients for `server_login_retry`. While it is paused
//! clients wait, for `pause_limit` at most. With users of its own the new entry is added beside the old one, which goes once
//! it is revoked; no server connection hangs on the new entry yet, so that `RELOAD` is enough. With `auth_query` there is
//! nothing to do. `RECONNECT` is never used: it would end connections that still work.
//!
//! # Guarantees
//! 1. The database does not stay paused: a [guard] process resumes it when this process dies, stops, or takes longer than
//!    `pause_limit`; and whoever asks later for the progress resumes what was left paused.
//! 2. A file is replaced as a whole, on disk before it is in place, with its mode and owner; nothing but the entries of the
//!    credential is another byte. A file that another changed in the meantime is a conflict.
//! 3. A verifier is written where verifiers are, and it is the one that the server has: with another one of the same
//!    password PgBouncer could not log in.
//!
//! # Assumptions
//! 1. PgBouncer reads these files from the machine that Keytrail runs on. In Kubernetes they are part of a Secret.
//! 2. `PAUSE` comes to its end within `pause_limit`, so transactions are shorter; where it does not, nothing was changed.
//! 3. Nobody pauses the database while it is rotated but Keytrail.
//! 4. The guard outlives the death of Keytrail. Where both die (the machine, a systemd unit that is killed as a whole) and
//!    PgBouncer does not, clients wait until the rotation is resumed.
//!
//! Source: <https://www.pgbouncer.org/config.html>, <https://www.pgbouncer.org/usage.html>.

use std::path::{Path, PathBuf};
use std::time::Duration;

use keytrail_rules::model::Secret;
use serde::Deserialize;

use self::guard::Guard;
use self::userlist::Style;
use super::{Mark, Progress, Values, Workload, WorkloadKind};
use crate::context::{Act, Context};
use crate::credential::{Credential, VALUE};
use crate::failure::{Failure, Opened};
use crate::postgres::console::Console;
use crate::postgres::{Address, scram};
use crate::settings::Settings;

mod files;
pub(super) mod guard;
mod ini;
mod userlist;

/// `pgbouncer`.
pub(super) static KIND: WorkloadKind =
    WorkloadKind { name: "pgbouncer", about: "PgBouncer: its copy of a credential, switched under PAUSE", open };

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Table {
    /// The file with `[databases]`.
    ini: PathBuf,
    /// The file of `auth_file`; by default that of the ini.
    userlist: Option<PathBuf>,
    /// The database as clients call it.
    database: String,
    /// The admin console: `{ url = "postgres://admin@127.0.0.1:6432/pgbouncer", password = { env = "NAME" } }`.
    admin: Address,
    /// How long clients may have to wait, in seconds.
    #[serde(default = "five")]
    pause_limit: u64,
    /// The item whose credential it is, where the group has several.
    item: Option<String>,
    /// The role, where the credential does not say.
    user: Option<String>,
    /// The keytrail program, where this process is none.
    guard: Option<PathBuf>,
}

fn five() -> u64 {
    5
}

fn open(_name: &str, settings: &Settings) -> Opened<dyn Workload> {
    let table: Table = settings.read()?;
    if !(2..=60).contains(&table.pause_limit) {
        return Err(Failure::not_done("`pause_limit` is out of bounds").hint("use 2 to 60 seconds"));
    }
    if table.database.contains(NEVER) || table.database.is_empty() {
        return Err(Failure::not_done("`database` is no name of a database").hint("use its name in [databases]"));
    }
    Ok(Box::new(PgBouncer { table }))
}

/// What no value of PgBouncer's files can hold.
const NEVER: [char; 3] = ['\n', '\r', '\0'];

struct PgBouncer {
    table: Table,
}

/// A credential as PgBouncer needs it.
struct Login<'a> {
    user: &'a str,
    value: &'a Secret,
    credential: &'a Credential,
}

/// What the files are to hold.
struct Edits {
    ini: Option<files::Edit>,
    userlist: Option<files::Edit>,
}

impl PgBouncer {
    fn limit(&self) -> Duration {
        Duration::from_secs(self.table.pause_limit)
    }

    async fn console(&self, context: &Context) -> Result<Console, Failure> {
        Console::open(&self.table.admin, context).await
    }

    /// The credential of the group that this is about; `None` where it has none.
    fn login<'v>(&'v self, values: &Values<'v>) -> Result<Option<Login<'v>>, Failure> {
        let credential = match &self.table.item {
            Some(item) => values.get(item.as_str()).copied(),
            None => {
                let with_user = |credential: &&&Credential| credential.part("user").is_some();
                match (values.values().filter(with_user).count(), values.len()) {
                    (1, _) => values.values().find(with_user).copied(),
                    (0, 0 | 1) => values.values().next().copied(),
                    _ => {
                        let failure = Failure::not_done("which credential of the group PgBouncer has is not known");
                        return Err(failure.hint("name it: item = \"ID\" in the [[workload]] table"));
                    }
                }
            }
        };
        let Some(credential) = credential else { return Ok(None) };
        let user = credential.part("user").map(Secret::expose).or(self.table.user.as_deref()).ok_or_else(|| {
            Failure::not_done("the role of PgBouncer's credential is not known")
                .hint("name it: user = \"ROLE\" in the [[workload]] table")
        })?;
        let value = credential.part(VALUE).ok_or_else(|| Failure::not_done("the credential has no value"))?;
        if [user, value.expose()].iter().any(|text| text.contains(NEVER)) {
            return Err(Failure::not_done("the credential has a line end, which no file of PgBouncer can hold"));
        }
        Ok(Some(Login { user, value, credential }))
    }

    fn needed<'v>(&'v self, values: &Values<'v>) -> Result<Login<'v>, Failure> {
        self.login(values)?.ok_or_else(|| Failure::not_done("the group has no credential for PgBouncer"))
    }

    fn userlist(&self, ini: &ini::Ini) -> Option<PathBuf> {
        self.table.userlist.clone().or_else(|| ini.auth_file().map(PathBuf::from))
    }

    /// What is to be written so that `login` is used, beside those of `others` that are there.
    fn edits(&self, login: &Login<'_>, other: Option<&Login<'_>>) -> Result<Edits, Failure> {
        let (text, ini) = self.read_ini()?;
        let mut edits = Edits { ini: None, userlist: None };
        let forced = ini.forced(&self.table.database)?;
        if let Some(forced) = &forced {
            edits.ini = Some(files::Edit::new(&self.table.ini, text, forced.with(login.user, login.value)));
        }
        let Some(path) = self.userlist(&ini) else { return Ok(edits) };
        let text = files::read(&path)?;
        let list = userlist::Userlist::parse(&text);
        let listed = list.style(login.user).or_else(|| other.and_then(|other| list.style(other.user)));
        let in_ini = forced.as_ref().is_some_and(ini::Forced::has_password);
        let wanted = match listed {
            Some(style) => Some(style),
            // The database has the password, or an `auth_query` finds it.
            None if in_ini || (forced.is_none() && ini.asks()) => None,
            None if forced.is_none() && login.credential.part("verifier").is_some() => Some(Style::Verifier),
            None => Some(Style::Plain),
        };
        if let Some(style) = wanted {
            let secret = entry(login, other, style, forced.is_some() && !in_ini, &list)?;
            edits.userlist = Some(files::Edit::new(&path, text.clone(), list.with(login.user, secret)));
        }
        Ok(edits)
    }

    fn read_ini(&self) -> Result<(files::Text, ini::Ini), Failure> {
        let text = files::read(&self.table.ini)?;
        let ini = ini::Ini::parse(&text);
        Ok((text, ini))
    }

    async fn switch(&self, context: &Context, values: &Values<'_>, others: &Values<'_>) -> Result<Mark, Failure> {
        let login = self.needed(values)?;
        let other = self.login(others)?;
        let edits = self.edits(&login, other.as_ref())?;
        if edits.ini.is_some() {
            self.switch_paused(context, &login, &edits).await?;
        } else if let Some(userlist) = &edits.userlist {
            userlist.write()?;
            self.console(context).await?.reload().await?;
        }
        Ok(Mark(format!("{} {}", login.user, context.run)))
    }

    async fn switch_paused(&self, context: &Context, login: &Login<'_>, edits: &Edits) -> Result<(), Failure> {
        let database = &self.table.database;
        let console = self.console(context).await?;
        let guard =
            Guard::post(self.table.guard.as_deref(), &self.table.admin, database, self.limit(), context).await?;
        let paused = console.pause(database, guard.time_to_pause()).await;
        let mut console = match paused {
            Ok(console) => console,
            Err(failure) => {
                // Who asks in vain has paused it all the same.
                self.console(context).await?.resume(database).await?;
                guard.dismiss().await;
                return Err(failure);
            }
        };
        let done = self.under_pause(&mut console, &guard, login, edits).await;
        // If this fails the guard is not dismissed, and does it.
        console.resume(database).await?;
        guard.dismiss().await;
        done
    }

    async fn under_pause(
        &self,
        console: &mut Console,
        guard: &Guard,
        login: &Login<'_>,
        edits: &Edits,
    ) -> Result<(), Failure> {
        if guard.is_due() {
            return Err(Failure::not_done("PAUSE took all the time that there was; nothing was changed"));
        }
        for edit in [&edits.userlist, &edits.ini].into_iter().flatten() {
            edit.write()?;
        }
        console.reload().await?;
        let now = console.database(&self.table.database).await?.forced;
        if now.as_deref() != Some(login.user) {
            let failure = Failure::unknown("PgBouncer did not take the new ini");
            return Err(failure.hint("its log says why; check that `ini` is the file that it reads"));
        }
        Ok(())
    }

    async fn look(&self, context: &Context, values: &Values<'_>) -> Result<Progress, Failure> {
        let login = self.needed(values)?;
        let mut console = self.console(context).await?;
        console.resume(&self.table.database).await?;
        let now = console.database(&self.table.database).await?;
        console.close().await;
        Ok(match now.forced {
            Some(user) if user != login.user => {
                Progress::Failed(format!("PgBouncer logs in as another role to {}", self.table.database))
            }
            _ => Progress::Done,
        })
    }

    async fn drop_old(&self, context: &Context, values: &Values<'_>, old: &Values<'_>) -> Result<(), Failure> {
        let (Some(login), Some(old)) = (self.login(values)?, self.login(old)?) else { return Ok(()) };
        let Some(path) = self.userlist(&self.read_ini()?.1).filter(|_| login.user != old.user) else { return Ok(()) };
        let text = files::read(&path)?;
        let list = userlist::Userlist::parse(&text);
        // Also where the entry is gone already: who took it out may not have lived to reload.
        files::Edit::new(&path, text.clone(), list.without(old.user)).write()?;
        self.console(context).await?.reload().await
    }

    async fn inspect(&self, context: &Context) -> Result<Vec<String>, Failure> {
        let mut wrong = Vec::new();
        let (_, ini) = self.read_ini()?;
        let forced = ini.forced(&self.table.database)?;
        wrong.extend(files::unwritable(&self.table.ini).filter(|_| forced.is_some()));
        if let Some(path) = self.userlist(&ini) {
            let text = files::read(&path)?;
            wrong.extend(files::unwritable(&path));
            let user = forced.as_ref().map(ini::Forced::user).or(self.table.user.as_deref());
            if user.and_then(|user| userlist::Userlist::parse(&text).style(user)) == Some(Style::Md5) {
                wrong.push(MD5.to_owned());
            }
        }
        let mut console = self.console(context).await?;
        let now = console.database(&self.table.database).await?;
        if now.paused {
            wrong.push(format!("{0} is paused: RESUME {0}", self.table.database));
        }
        wrong.extend(console.obstacles(self.table.pause_limit, forced.is_some()).await?);
        console.close().await;
        Ok(wrong)
    }
}

const MD5: &str = "userlist.txt has an MD5 hash of the role: PgBouncer cannot log in with it to a server that keeps SCRAM \
     verifiers; put the verifier or the password there";

/// What stands in the userlist for a login.
fn entry(
    login: &Login<'_>,
    other: Option<&Login<'_>>,
    style: Style,
    forced: bool,
    list: &userlist::Userlist<'_>,
) -> Result<Secret, Failure> {
    let copy = |secret: &Secret| Secret::from(secret.expose());
    match style {
        Style::Plain => Ok(copy(login.value)),
        Style::Md5 => Err(Failure::not_done(MD5)),
        Style::Verifier if forced => {
            let failure = Failure::not_done("PgBouncer cannot log in with a verifier for a user that is forced");
            Err(failure.hint("put the password into [databases] or userlist.txt"))
        }
        Style::Verifier => {
            let present = list.secret(login.user);
            // On the way back the credential that is withdrawn knows what the server kept before.
            let known = [
                login.credential.part("verifier"),
                other.and_then(|other| other.credential.part("previous_verifier")),
                present.as_ref(),
            ];
            let fits = |verifier: &&Secret| scram::matches(verifier, login.value);
            known.into_iter().flatten().find(fits).map(copy).ok_or_else(|| {
                Failure::not_done("userlist.txt has verifiers, and that of the role is not known")
                    .hint("keep it with the password: parts = { verifier = [\"STORE:PATH#KEY\"] }")
            })
        }
    }
}

impl Workload for PgBouncer {
    fn preflight<'a>(&'a self, context: &'a Context) -> Act<'a, Vec<String>> {
        Box::pin(self.inspect(context))
    }

    fn load<'a>(&'a self, context: &'a Context, values: &'a Values<'a>, others: &'a Values<'a>) -> Act<'a, Mark> {
        Box::pin(self.switch(context, values, others))
    }

    fn progress<'a>(&'a self, context: &'a Context, _mark: &'a Mark, values: &'a Values<'a>) -> Act<'a, Progress> {
        Box::pin(self.look(context, values))
    }

    fn forget<'a>(&'a self, context: &'a Context, values: &'a Values<'a>, old: &'a Values<'a>) -> Act<'a, ()> {
        Box::pin(self.drop_old(context, values, old))
    }
}

/// Where the guard's program is, if the config does not say: this one.
fn own_program(named: Option<&Path>) -> Result<PathBuf, Failure> {
    match named {
        Some(path) => Ok(path.to_owned()),
        None => std::env::current_exe().map_err(|_| Failure::not_done("the path of this program is not known")),
    }
}

#[cfg(test)]
mod tests;
