use super::{Context, about, copies};
use crate::model::{CopyKind, Finding, SecretCopy};
use crate::value::Shape;

rule! {
    /// A secret of production is a stand-in such as `changeme`.
    ///
    /// Stand-ins are known to everyone who ever saw the template. A value in a store counts as production unless its
    /// path names another environment. Stand-ins in the manifest of a Kubernetes Secret are as they should be: the
    /// real value is patched in at deployment.
    ///
    /// # How to fix
    /// Write a generated value to the place, then restart what loads it.
    "placeholder-in-production", "KT1005", Inventory, High
}

fn check(cx: &Context<'_>) -> Vec<Finding> {
    cx.inventory
        .secrets()
        .filter_map(|item| {
            let in_production = |copy: &SecretCopy| match &copy.environment {
                Some(environment) => environment.is_production(),
                None => matches!(copy.kind, CopyKind::VaultKv1 | CopyKind::VaultKv2),
            };
            let is_scaffold = |copy: &SecretCopy| copy.kind == CopyKind::KubernetesSecret;
            let found: Vec<&SecretCopy> = item
                .copies
                .iter()
                .filter(|copy| copy.value.shape == Shape::Placeholder && in_production(copy) && !is_scaffold(copy))
                .collect();
            let first = found.first()?;
            Some(
                about(&RULE, item, format!("Secret '{}' is a placeholder in {}.", item.id, first.place))
                    .at(first.location.clone().or_else(|| item.location()))
                    .evidence(copies(found.iter().copied()))
                    .next(format!("write a generated value to {}", first.place)),
            )
        })
        .collect()
}
