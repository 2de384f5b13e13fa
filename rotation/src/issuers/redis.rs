//! Redis and Valkey: the passwords of a user, of which there may be several at once.
//!
//! `ACL SETUSER` adds and removes passwords by their SHA-256 (<https://redis.io/docs/latest/commands/acl-setuser/>), so
//! the server takes the old and the new one side by side until the old one is removed. That holds for `default` as well,
//! the user of `requirepass`. Users are per node and not replicated: each node is named. They are kept over a restart by
//! `ACL SAVE`, or `CONFIG REWRITE` where there is no ACL file.
//!
//! # Guarantees
//! 1. Only the two digests in question are added or removed; other passwords, rights and users stay as they are.
//! 2. No command holds a password, but for `AUTH`; and for `requirepass` and `masterauth`, which take no digest.
//! 3. Every act looks first, and does what is missing: doing it again changes nothing.
//!
//! # Assumptions
//! 1. Connections that were made with the old password live on after it was removed; `end_sessions = true` closes them.
//! 2. Where a node cannot keep its users over a restart, the config that it starts from is changed by somebody else.

use ::redis::{Value, cmd};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use futures::FutureExt;
use keytrail_rules::model::Secret;
use serde::Deserialize;

use super::{Chooser, Issuer, IssuerKind, Nature, Overlap};
use crate::context::{Act, Context};
use crate::credential::Credential;
use crate::failure::Failure;
use crate::random;
use crate::redis_node::{Login, Node, Session, digest};
use crate::settings::Given;
use crate::state::Answer;

/// Redis and Valkey.
pub(super) static KIND: IssuerKind = IssuerKind {
    name: "redis",
    about: "adds a second password to a Redis user, and later removes the first",
    open: |settings| Ok(Box::new(Redis::new(settings.read()?)?)),
};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Table {
    /// Every node, the primary first: `redis://10.0.0.1:6379`.
    nodes: Vec<String>,
    /// The user whose password changes.
    #[serde(default = "default_user")]
    user: String,
    /// Who changes it; the user itself with its old password where there is none.
    admin_user: Option<String>,
    /// The password of `admin_user`.
    admin: Option<Given>,
    /// Whether connections of the user end when the old password does. Its clients connect again.
    #[serde(default)]
    end_sessions: bool,
    /// Whether a node that cannot keep its users over a restart is fine.
    #[serde(default)]
    volatile: bool,
}

fn default_user() -> String {
    "default".to_owned()
}

struct Redis {
    nodes: Vec<Node>,
    table: Table,
}

/// What a node says of a user.
struct User {
    digests: Vec<String>,
    is_on: bool,
    needs_no_password: bool,
}

impl Redis {
    fn new(table: Table) -> Result<Self, Failure> {
        if table.nodes.is_empty() {
            return Err(Failure::not_done("`nodes` is empty").hint(r#"name the server: nodes = ["redis://host:6379"]"#));
        }
        if table.admin_user.is_some() != table.admin.is_some() {
            return Err(Failure::not_done("`admin_user` and `admin` need each other")
                .hint(r#"write admin_user = "admin" and admin = { env = "REDIS_ADMIN_PASSWORD" }"#));
        }
        let nodes = table.nodes.iter().map(|url| Node::new(url)).collect::<Result<_, _>>()?;
        Ok(Self { nodes, table })
    }

    fn login<'a>(&'a self, credential: &'a Credential) -> Login<'a> {
        Login { user: &self.table.user, password: credential.value() }
    }

    /// A connection that may change the user: of the administrator, or of the user by the first password that works.
    async fn administer<'n>(
        &self,
        context: &Context,
        node: &'n Node,
        known: [Option<&Credential>; 2],
    ) -> Result<Session<'n>, Failure> {
        let mut last = None;
        if let (Some(user), Some(admin)) = (&self.table.admin_user, &self.table.admin) {
            let password = admin.get()?;
            match node.connect(context, &Login { user, password: Some(&password) }).await? {
                Ok(session) => return Ok(session),
                Err(error) => last = Some(error),
            }
        } else {
            for credential in known {
                let Some(credential) = credential else { continue };
                match node.connect(context, &self.login(credential)).await? {
                    Ok(session) => return Ok(session),
                    Err(error) => last = Some(error),
                }
            }
        }
        let name = node.name();
        Err(match last {
            Some(error) if matches!(error.code(), Some("WRONGPASS" | "NOAUTH")) => {
                Failure::not_done(format!("the Redis server {name} rejects the login that is to change the password"))
                    .hint("set `admin_user` and `admin` of the issuer")
            }
            Some(error) => node.failure(&error, "log in"),
            None => Failure::not_done(format!("nobody can log in to the Redis server {name} to change the password"))
                .hint("set `admin_user` and `admin` of the issuer"),
        })
    }

    async fn user(&self, session: &mut Session<'_>) -> Result<Option<User>, Failure> {
        let reply = session.perform(cmd("ACL").arg("GETUSER").arg(&self.table.user), "read the user").await?;
        Ok(User::read(&reply))
    }

    /// Makes every node take one password and, if one is given, not another.
    async fn change(
        &self,
        context: &Context,
        known: [Option<&Credential>; 2],
        take: Option<&Credential>,
        reject: Option<&Credential>,
    ) -> Result<(), Failure> {
        for node in &self.nodes {
            let mut session = self.administer(context, node, known).await?;
            self.change_node(&mut session, take, reject).await?;
        }
        Ok(())
    }

    async fn change_node(
        &self,
        session: &mut Session<'_>,
        take: Option<&Credential>,
        reject: Option<&Credential>,
    ) -> Result<(), Failure> {
        let user = &self.table.user;
        let Some(now) = self.user(session).await? else {
            return Err(Failure::not_done(format!("the Redis user {user} is not there")).hint("create it first"));
        };
        let of = |credential: Option<&Credential>| credential.and_then(Credential::value).map(digest);
        let has = |digest: &String| now.digests.contains(digest);
        let (add, remove) = (of(take).filter(|one| !has(one)), of(reject).filter(has));
        let mut command = cmd("ACL");
        command.arg("SETUSER").arg(user);
        if let Some(digest) = &add {
            command.arg(format!("#{digest}"));
        }
        if let Some(digest) = &remove {
            command.arg(format!("!{digest}"));
        }
        if add.is_some() || remove.is_some() {
            session.perform(&command, "change the user").await?;
        }
        if let Some(value) = take.and_then(Credential::value) {
            self.follow(session, value, reject.is_some()).await?;
        }
        self.persist(session).await?;
        if remove.is_some() && self.table.end_sessions {
            let mut kill = cmd("CLIENT");
            kill.arg("KILL").arg("USER").arg(user).arg("SKIPME").arg("yes");
            session.perform(&kill, "end the sessions of the user").await?;
        }
        Ok(())
    }

    /// What a node keeps in clear beside its users: the password that it logs in with to its primary, from when both
    /// work; and `requirepass`, which would bring the old one back when the config is written or read again.
    async fn follow(&self, session: &mut Session<'_>, value: &Secret, is_last: bool) -> Result<(), Failure> {
        let user = &self.table.user;
        let as_replica = match setting(session, "masterauth").await? {
            None => false,
            Some(_) => {
                let other = setting(session, "masteruser").await?;
                other.as_ref().map_or("default", Secret::expose) == user
            }
        };
        if as_replica {
            write_setting(session, "masterauth", value).await?;
        }
        // It sets the one password of `default`, so only when no other is to work any more.
        if is_last && user == "default" && setting(session, "requirepass").await?.is_some() {
            write_setting(session, "requirepass", value).await?;
        }
        Ok(())
    }

    async fn persist(&self, session: &mut Session<'_>) -> Result<(), Failure> {
        if session.send(cmd("ACL").arg("SAVE")).await.is_ok() {
            return Ok(());
        }
        let rewritten = session.perform(cmd("CONFIG").arg("REWRITE"), "keep its users over a restart").await;
        rewritten.map(drop).or_else(|failure| if self.table.volatile { Ok(()) } else { Err(failure) })
    }
}

/// A setting that is not empty; `None` for one that this user may not read, or this server does not have.
async fn setting(session: &mut Session<'_>, name: &str) -> Result<Option<Secret>, Failure> {
    let Ok(reply) = session.send(cmd("CONFIG").arg("GET").arg(name)).await else { return Ok(None) };
    Ok(pairs(&reply)
        .into_iter()
        .find(|(key, _)| key == name)
        .and_then(|(_, value)| text(value))
        .filter(|text| !text.is_empty())
        .map(Secret::new))
}

async fn write_setting(session: &mut Session<'_>, name: &str, value: &Secret) -> Result<(), Failure> {
    session.perform(cmd("CONFIG").arg("SET").arg(name).arg(value.expose()), &format!("set {name}")).await.map(drop)
}

impl User {
    /// Reads the reply of `ACL GETUSER`: a map, or a list of names and values; nothing where there is no such user.
    fn read(reply: &Value) -> Option<Self> {
        let pairs = pairs(reply);
        let list = |name: &str| {
            let found = pairs.iter().find(|(key, _)| key == name);
            found.map_or_else(Vec::new, |(_, value)| items(value).iter().filter_map(text).collect())
        };
        let flags = list("flags");
        (!pairs.is_empty()).then(|| Self {
            digests: list("passwords"),
            is_on: flags.iter().any(|flag| flag == "on"),
            needs_no_password: flags.iter().any(|flag| flag == "nopass"),
        })
    }
}

fn items(value: &Value) -> &[Value] {
    match value {
        Value::Array(items) | Value::Set(items) => items,
        _ => &[],
    }
}

fn text(value: &Value) -> Option<String> {
    match value {
        Value::BulkString(bytes) => String::from_utf8(bytes.clone()).ok(),
        Value::SimpleString(text) => Some(text.clone()),
        _ => None,
    }
}

fn pairs(value: &Value) -> Vec<(String, &Value)> {
    match value {
        Value::Map(pairs) => pairs.iter().filter_map(|(key, value)| Some((text(key)?, value))).collect(),
        Value::Array(items) => items.chunks_exact(2).filter_map(|pair| Some((text(&pair[0])?, &pair[1]))).collect(),
        _ => Vec::new(),
    }
}

impl Issuer for Redis {
    fn nature(&self) -> Nature {
        Nature { chooser: Chooser::Keytrail, overlap: Overlap::Both, answers: true }
    }

    fn preflight<'a>(&'a self, context: &'a Context, old: Option<&'a Credential>) -> Act<'a, Vec<String>> {
        async move {
            let mut obstacles = Vec::new();
            for node in &self.nodes {
                let name = node.name();
                let mut session = match self.administer(context, node, [old, None]).await {
                    Ok(session) => session,
                    Err(failure) => {
                        obstacles.push(failure.to_string());
                        continue;
                    }
                };
                let user = match self.user(&mut session).await {
                    Ok(user) => user,
                    Err(failure) => {
                        obstacles.push(failure.to_string());
                        continue;
                    }
                };
                obstacles.extend(self.obstacles(name, user, old));
                if !self.table.volatile && !can_persist(&mut session).await {
                    obstacles.push(format!(
                        "the Redis server {name} has neither an ACL file nor a config file that it may write, so a \
                         restart would bring the old password back; give it one, or set volatile = true if its config \
                         is made elsewhere"
                    ));
                }
            }
            Ok(obstacles)
        }
        .boxed()
    }

    fn choose(&self, _old: Option<&Credential>) -> Result<Option<Credential>, Failure> {
        let value = URL_SAFE_NO_PAD.encode(random::bytes(32)?.as_slice());
        Ok(Some(Credential::of_value(Secret::new(value))))
    }

    fn set<'a>(
        &'a self,
        context: &'a Context,
        old: Option<&'a Credential>,
        chosen: Option<&'a Credential>,
    ) -> Act<'a, Credential> {
        async move {
            let new = chosen.ok_or_else(|| Failure::not_done("there is no new password to set"))?;
            self.change(context, [old, Some(new)], Some(new), None).await?;
            Ok(new.duplicate())
        }
        .boxed()
    }

    fn check<'a>(&'a self, context: &'a Context, credential: &'a Credential) -> Act<'a, Answer> {
        async move {
            let mut answers = Vec::with_capacity(self.nodes.len());
            for node in &self.nodes {
                answers.push(node.answers(context, &self.login(credential)).await?);
            }
            // What one node still takes is not revoked; and where an act ended half way, doing it again mends the rest.
            Ok(if answers.contains(&Answer::Unknown) {
                Answer::Unknown
            } else if answers.contains(&Answer::Works) {
                Answer::Works
            } else {
                Answer::Rejected
            })
        }
        .boxed()
    }

    fn withdraw<'a>(
        &'a self,
        context: &'a Context,
        old: Option<&'a Credential>,
        new: Option<&'a Credential>,
    ) -> Act<'a, ()> {
        self.change(context, [old, new], old, new).boxed()
    }

    fn revoke<'a>(&'a self, context: &'a Context, old: &'a Credential, new: Option<&'a Credential>) -> Act<'a, ()> {
        self.change(context, [new, Some(old)], new, Some(old)).boxed()
    }
}

impl Redis {
    fn obstacles(&self, node: &str, user: Option<User>, old: Option<&Credential>) -> Vec<String> {
        let name = &self.table.user;
        let Some(user) = user else {
            return vec![format!("the Redis server {node} has no user {name}")];
        };
        let mut obstacles = Vec::new();
        if !user.is_on {
            obstacles.push(format!("the user {name} of the Redis server {node} is off"));
        }
        if user.needs_no_password {
            obstacles.push(format!("the user {name} of the Redis server {node} needs no password: any would do"));
        }
        if let Some(old) = old.and_then(Credential::value)
            && !user.digests.contains(&digest(old))
        {
            obstacles.push(format!("the user {name} of the Redis server {node} has another password than the store"));
        }
        obstacles
    }
}

async fn can_persist(session: &mut Session<'_>) -> bool {
    let has_acl_file = setting(session, "aclfile").await.is_ok_and(|file| file.is_some());
    let Ok(info) = session.send(cmd("INFO").arg("server")).await else { return has_acl_file };
    let info = match &info {
        Value::VerbatimString { text, .. } => text.clone(),
        other => text(other).unwrap_or_default(),
    };
    let config = info.lines().find_map(|line| line.strip_prefix("config_file:")).unwrap_or_default();
    has_acl_file || !config.trim().is_empty()
}
