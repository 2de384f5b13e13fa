use super::Time;

/// A rotation that Keytrail began and that has not ended. Holds no value.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct UnfinishedRun {
    /// Its id: `kt-20261121t183000z-0f3a9c21`.
    pub run: String,
    /// The ids of its items, sources first.
    pub items: Vec<String>,
    /// How far it is: `loaded`.
    pub state: String,
    /// When it was last worked on.
    pub touched: Time,
    /// When it goes on, where it waits until the old values are no longer needed.
    pub due: Option<Time>,
    /// Why it waits for a person, where it does.
    pub failure: Option<String>,
}
