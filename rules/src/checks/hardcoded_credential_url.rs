use std::collections::BTreeMap;

use super::Context;
use crate::model::{CodeUse, CodeUseKind, Evidence, Finding, Fingerprint};

rule! {
    /// Code holds a URL with a password in it.
    ///
    /// The password is in every clone, image and stack trace, and a rotation does not reach it. Only the code that
    /// `[inventory] code` names is looked at. Where the password is that of a known secret, the finding names it.
    ///
    /// # How to fix
    /// Declare the URL in the schema, load it through the settings module, and rotate the password.
    "hardcoded-credential-url", "KT1013", Inventory, High
}

fn check(cx: &Context<'_>) -> Vec<Finding> {
    let mut urls: BTreeMap<(&str, &str), Vec<(&CodeUse, &Fingerprint)>> = BTreeMap::new();
    for code in &cx.snapshot.facts.code {
        if let CodeUseKind::CredentialUrl { target, password } = &code.kind {
            urls.entry((&code.location.file, target)).or_default().push((code, password));
        }
    }
    urls.into_iter()
        .map(|((file, target), mut uses)| {
            uses.sort();
            let item = cx.inventory.secrets().find(|item| {
                item.fingerprints().iter().any(|value| uses.iter().any(|(_, password)| password == value))
            });
            let whose = item.map_or_else(String::new, |item| format!(": that of secret '{}'", item.id));
            let message = format!("{file} holds a password for {target}{whose}.");
            let finding = Finding::new(&RULE, &format!("{file}\n{target}"), message)
                .at(uses.first().map(|(code, _)| code.location.clone()))
                .evidence(
                    uses.iter()
                        .map(|(code, _)| Evidence::new(format!("URL of {target}"), Some(code.location.clone()), None)),
                )
                .next("load the URL through the settings module, and rotate the password");
            match item {
                Some(item) => finding.item(item.id.clone()),
                None => finding,
            }
        })
        .collect()
}
