//! The undos of the way back.

use super::forward::done;
use super::run::{Again, Run, Step};
use crate::issuers::Overlap;
use crate::journal::Which;
use crate::state::State;

impl Run<'_> {
    /// The undo at hand on the way back.
    pub(super) async fn step_back(&self, state: State) -> Step<()> {
        match state {
            State::Restoring => self.restore_all(false).await,
            State::Reloading => {
                self.withdraw(|overlap| overlap == Overlap::One).await?;
                self.load("reload", Which::Old).await?;
                // Nobody uses the new value now, so that it need not be accepted any more.
                if self.job.writes.iter().any(|write| self.accepts(write)) {
                    self.restore_all(true).await?;
                    self.load("reload retired", Which::Old).await?;
                }
                Ok(())
            }
            State::Withdrawing => self.withdraw(|_| true).await,
            State::Unstaging => self.unstage().await,
            _ => Ok(()),
        }
    }

    /// Makes every path hold the old values again; those that list what is accepted keep the new one in the list at first.
    async fn restore_all(&self, is_last: bool) -> Step<()> {
        for at in 0..self.job.writes.len() {
            if self.accepts(&self.job.writes[at]) && !is_last {
                self.demote(at).await?;
            } else {
                self.restore(at).await?;
            }
        }
        Ok(())
    }

    /// Makes issuers honour the old values, and the new ones no more.
    async fn withdraw(&self, chosen: impl Fn(Overlap) -> bool) -> Step<()> {
        for (at, issuer) in self.parties.issued().filter(|(_, issuer)| chosen(issuer.nature().overlap)) {
            let act = format!("withdraw {}", self.job.members[at].item);
            if self.fact(&act).is_none() {
                let (old, new) = (self.pairs[at].old.as_ref(), self.pairs[at].new.as_ref());
                self.act(&act, Again::Always, || issuer.withdraw(&self.context, old, new), done).await?;
            }
        }
        Ok(())
    }

    async fn unstage(&self) -> Step<()> {
        for (write, store) in self.job.writes.iter().zip(&self.parties.stores) {
            if store.abilities().stages {
                let act = format!("unstage {}", write.name());
                self.act(&act, Again::Always, || store.unstage(&self.context, &write.path), done).await?;
            }
        }
        Ok(())
    }
}
