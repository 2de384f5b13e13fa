//! A login to Redis, over a new connection.

use futures::FutureExt;
use serde::Deserialize;

use super::{Health, Moment, Probe, ProbeKind};
use crate::context::{Act, Context};
use crate::credential::Credential;
use crate::failure::Failure;
use crate::redis_node::{Login, Node};
use crate::state::Answer;
use crate::workloads::Values;

/// A login to Redis.
pub(super) static KIND: ProbeKind = ProbeKind {
    name: "redis",
    about: "logs in to Redis with the credential",
    open: |settings| {
        let table: Table = settings.read()?;
        let node = Node::new(&table.redis)?;
        Ok(Box::new(Redis { node, table }))
    },
};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Table {
    /// The server, as the consumers reach it: `redis://cache.internal:6379`.
    redis: String,
    /// The user.
    #[serde(default = "default_user")]
    user: String,
    /// The item whose value is the password; not needed where one changes alone.
    item: Option<String>,
}

fn default_user() -> String {
    "default".to_owned()
}

struct Redis {
    node: Node,
    table: Table,
}

impl Probe for Redis {
    fn check<'a>(&'a self, context: &'a Context, _moment: &'a Moment, values: &'a Values<'a>) -> Act<'a, Health> {
        async move {
            let credential = of_item(values, self.table.item.as_deref())?;
            let login = Login { user: &self.table.user, password: credential.value() };
            let name = self.node.name();
            Ok(match self.node.answers(context, &login).await? {
                Answer::Works => Health::Healthy(String::new()),
                Answer::Rejected => Health::Unhealthy(format!("the Redis server {name} rejects the login")),
                Answer::Unknown => {
                    Health::Unknown(format!("the Redis server {name} does not tell whether a login works"))
                }
            })
        }
        .boxed()
    }
}

/// The credential of an item by its id, or by its key where the id says an environment too; the only one where no item
/// is named.
fn of_item<'a>(values: &Values<'a>, item: Option<&str>) -> Result<&'a Credential, Failure> {
    let Some(item) = item else {
        let mut all = values.values();
        let only = all.next().filter(|_| all.next().is_none());
        return only.copied().ok_or_else(|| {
            Failure::not_done("several secrets change, and the probe does not say which it logs in with")
                .hint(r#"name it: item = "CACHE_PASSWORD""#)
        });
    };
    let is_key = |id: &str| id.split_once('@').is_some_and(|(key, _)| key == item);
    let by_key = || values.iter().find(|(id, _)| is_key(id)).map(|(_, credential)| *credential);
    values.get(item).copied().or_else(by_key).ok_or_else(|| {
        Failure::not_done(format!("{item} is not among the secrets that change")).hint("correct `item` of the probe")
    })
}
