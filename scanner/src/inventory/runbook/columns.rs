//! What the columns of a table hold, by the words of its header.

/// Where in a row each thing stands.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Columns {
    pub(super) name: usize,
    pub(super) frequency: usize,
    /// The unit that the header of the frequency gives, for cells that are bare numbers.
    pub(super) unit: Option<&'static str>,
    pub(super) auto_rotation: Option<usize>,
    pub(super) place: Option<usize>,
    pub(super) owner: Option<usize>,
    pub(super) class: Option<usize>,
    pub(super) environment: Option<usize>,
    pub(super) derived_from: Option<usize>,
}

/// What a column holds.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Role {
    /// The name of the secret. Where several columns could be it, the highest rank is.
    Name(Rank),
    /// How often it is rotated, and whether the header says that it is about rotation: `Frequency` alone does not.
    Frequency {
        certain: bool,
    },
    AutoRotation,
    Place,
    Owner,
    Class,
    Environment,
    DerivedFrom,
}

/// How surely a column names a secret, from the least.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
enum Rank {
    /// `Name`: of anything.
    Any,
    /// `Secret type`: a kind of secret.
    Kind,
    /// `Secret`, `Credential`.
    Secret,
    /// `Key`, `Keys`: beside a path or a secret, the names under it.
    Key,
    /// `Variable`, `Env var`: the name that everything else uses.
    Variable,
}

const SECRET: &[&str] = &[
    "secret",
    "secrets",
    "credential",
    "credentials",
    "token",
    "tokens",
    "password",
    "passwords",
    "certificate",
    "certificates",
];
/// Of these a column or heading is about secrets whatever stands beside: certificates and tokens may be of other kinds.
const SECRET_BY_WORD: &[&str] = &["secret", "secrets", "credential", "credentials", "password", "passwords"];
const TOKEN: &[&str] = &["token", "tokens"];
const KEY: &[&str] = &["key", "keys"];
/// Words that make a key one of cryptography or of an API.
const KEY_KINDS: &[&str] = &["api", "access", "signing", "encryption", "private", "ssh"];
/// Last words of `API key`, `Key name` and `Key(s)`. Other words after `Key` make it something else: `Key metric`.
const KEY_ENDS: &[&str] = &["key", "keys", "name", "names", "s"];
const VARIABLE: &[&str] = &["variable", "variables", "var", "vars"];

/// Words of columns that say something about a key or secret, but do not name it.
const ABOUT: &[&str] = &[
    "length",
    "size",
    "algorithm",
    "usage",
    "use",
    "used",
    "id",
    "ids",
    "description",
    "purpose",
    "version",
    "format",
    "value",
    "count",
    "notes",
    "note",
    "consumer",
    "consumers",
    "by",
    "status",
    "expiry",
    "expires",
    "action",
    "impact",
];

const ROTATION: &[&str] = &["rotation", "rotations", "rotate", "rotates", "renew", "renewal"];
const OFTEN: &[&str] = &["frequency", "interval", "schedule", "periodicity", "every", "often", "cadence"];
/// The other words of a column that says how often, but not what. Any further word is of something else: `Poll interval`.
const BESIDE_OFTEN: &[&str] =
    &["how", "in", "required", "recommended", "day", "days", "week", "weeks", "month", "months", "year", "years"];
/// What is rotated or renewed, too, and is no secret.
const OTHER_ROTATIONS: &[&str] = &[
    "log",
    "logs",
    "logfile",
    "backup",
    "backups",
    "poll",
    "polling",
    "refresh",
    "retry",
    "sync",
    "snapshot",
    "snapshots",
    "call",
    "oncall",
    "staff",
    "team",
    "shift",
];

/// Words of columns that are about rotation, but hold no frequency.
const NOT_HOW_OFTEN: &[&str] = &[
    "last",
    "next",
    "due",
    "date",
    "by",
    "procedure",
    "method",
    "steps",
    "runbook",
    "script",
    "guide",
    "status",
    "notes",
    "history",
    "command",
    "process",
    "reason",
    "link",
    "docs",
];

impl Columns {
    /// The columns of a table of secrets; `None` for a table of another kind. `heading` is the heading that it stands
    /// under.
    pub(super) fn of(header: &[String], heading: &str) -> Option<Self> {
        let words: Vec<Vec<String>> = header.iter().map(|text| words(text)).collect();
        let roles: Vec<Option<Role>> = words.iter().map(|words| role(words)).collect();
        let position = |wanted: Role| roles.iter().position(|role| *role == Some(wanted));
        let ranks = roles.iter().enumerate().filter_map(|(at, role)| match role {
            Some(Role::Name(rank)) => Some((*rank, at)),
            _ => None,
        });
        let (rank, name) = ranks.max_by_key(|(rank, at)| (*rank, std::cmp::Reverse(*at)))?;
        let certain = position(Role::Frequency { certain: true });
        let frequency = certain.or_else(|| position(Role::Frequency { certain: false }))?;
        let heading = self::words(heading);
        let about_secrets = if certain.is_some() {
            rank > Rank::Any || has(&heading, &[SECRET, KEY]) || words[frequency].len() > 1
        } else {
            let named = words
                .iter()
                .zip(&roles)
                .any(|(words, role)| matches!(role, Some(Role::Name(_))) && names_secrets(words));
            let beside =
                [Role::Owner, Role::Place, Role::AutoRotation].into_iter().any(|role| position(role).is_some());
            named
                || names_secrets(&heading)
                || has(&heading, &[&["tokens", "keys"]])
                || (rank > Rank::Any && (beside || is_about_rotation(&heading)))
        };
        about_secrets.then(|| Self {
            name,
            frequency,
            unit: ["days", "weeks", "months", "years"].into_iter().find(|unit| has(&words[frequency], &[&[unit]])),
            auto_rotation: position(Role::AutoRotation),
            place: position(Role::Place),
            owner: position(Role::Owner),
            class: position(Role::Class),
            environment: position(Role::Environment),
            derived_from: position(Role::DerivedFrom),
        })
    }
}

fn role(words: &[String]) -> Option<Role> {
    let has = |list: &[&str]| has(words, &[list]);
    let often = has(OFTEN);
    let rotation = is_about_rotation(words) || (often && has(&["rotated", "renewed"]) && !has(OTHER_ROTATIONS));
    let is_bare = || words.iter().all(|word| [OFTEN, BESIDE_OFTEN].iter().any(|list| list.contains(&word.as_str())));
    if has(&["derived", "derives"]) {
        Some(Role::DerivedFrom)
    } else if has(&["owner", "owners", "owned", "team", "teams", "responsible"]) {
        Some(Role::Owner)
    } else if has(&["auto", "automatic", "automated", "automatically", "autorotation"]) && !often {
        Some(Role::AutoRotation)
    } else if (rotation && (often || !has(NOT_HOW_OFTEN))) || (has(&["cadence"]) && is_bare()) {
        Some(Role::Frequency { certain: true })
    } else if often && is_bare() {
        Some(Role::Frequency { certain: false })
    } else if often || has(ROTATION) {
        None
    } else if has(&["class", "classification"]) {
        Some(Role::Class)
    } else if has(&["environment", "environments", "env", "envs"]) && !has(VARIABLE) && !has(KEY) && !has(&["name"]) {
        Some(Role::Environment)
    } else if has(&[
        "path",
        "paths",
        "location",
        "locations",
        "storage",
        "store",
        "stores",
        "stored",
        "where",
        "manager",
    ]) || (has(&["vault"]) && !has(SECRET) && words.last().is_none_or(|last| !KEY.contains(&last.as_str())))
    {
        Some(Role::Place)
    } else {
        rank(words).map(Role::Name)
    }
}

/// Whether words are about the rotation of secrets, rather than of logs.
fn is_about_rotation(words: &[String]) -> bool {
    has(words, &[ROTATION]) && !has(words, &[OTHER_ROTATIONS])
}

/// Whether words name secrets and nothing else: `Credential`, `API token`, `Signing key`. A `Token` alone may be money.
fn names_secrets(words: &[String]) -> bool {
    has(words, &[SECRET_BY_WORD])
        || (has(words, &[TOKEN]) && words.len() > 1)
        || (has(words, &[KEY]) && has(words, &[KEY_KINDS]))
}

fn rank(words: &[String]) -> Option<Rank> {
    let has = |list: &[&str]| has(words, &[list]);
    if has(ABOUT) {
        None
    } else if has(&["type", "types", "kind"]) {
        (has(SECRET) || has(KEY)).then_some(Rank::Kind)
    } else if has(VARIABLE) {
        Some(Rank::Variable)
    } else if has(KEY) && words.last().is_some_and(|last| KEY_ENDS.contains(&last.as_str())) {
        Some(Rank::Key)
    } else if has(SECRET) {
        Some(Rank::Secret)
    } else {
        matches!(words, [word] if word == "name" || word == "names" || word == "item").then_some(Rank::Any)
    }
}

fn words(text: &str) -> Vec<String> {
    text.to_lowercase()
        .split(|c: char| !c.is_alphanumeric())
        .filter(|word| !word.is_empty())
        .map(str::to_owned)
        .collect()
}

fn has(words: &[String], lists: &[&[&str]]) -> bool {
    words.iter().any(|word| lists.iter().any(|list| list.contains(&word.as_str())))
}

#[cfg(test)]
mod tests {
    use super::Columns;

    fn columns(header: &str, heading: &str) -> Option<Columns> {
        let header: Vec<String> = header.split('|').map(|cell| cell.trim().to_owned()).collect();
        Columns::of(&header, heading)
    }

    #[test]
    fn names_and_frequencies_go_by_many_words() {
        for (header, name, frequency) in [
            ("Secret | Storage | Rotation Frequency | Auto-Rotation", 0, 2),
            ("Vault Path | Keys | Owner | Rotation Frequency", 1, 3),
            ("How often | Credential", 1, 0),
            ("Secret | Rotation", 0, 1),
            ("Key(s) | Rotation interval", 0, 1),
            ("Key | Interval | Owner", 0, 1),
            ("Certificate | Where it is kept | How often", 0, 2),
            ("Certificate | Renewal", 0, 1),
            ("API token | Every (days)", 0, 1),
            ("Signing key | Frequency", 0, 1),
            ("Variable | Rotated every", 0, 1),
            ("Secret | Where it lives | How often (rotation) | Auto-rotation", 0, 2),
            ("Vault path | Keys | Team | Rotate", 1, 3),
            ("Variable | Frequency | Auto-rotation", 0, 1),
            ("Secret | Storage | Rotation Frequency | Log rotation", 0, 2),
            ("Secret | Rotate every (days)", 0, 1),
            ("Secret name | Env var | Cadence", 1, 2),
            ("Secret | Key type | Last rotated | Schedule", 0, 3),
            ("API token | Automatic rotation | Rotation interval", 0, 2),
            ("Secret type | Rotation frequency", 0, 1),
            ("Environment variable | Environment | Cadence", 0, 2),
            ("Key Vault | Secret | Rotation", 1, 2),
            ("Vault key | Rotation", 0, 1),
            ("Name | Rotation frequency", 0, 1),
            ("Password | Rotated by | Next rotation | Interval", 0, 3),
        ] {
            let found = columns(header, "").unwrap_or_else(|| panic!("{header} is a table of secrets"));
            assert_eq!((found.name, found.frequency), (name, frequency), "{header}");
        }
    }

    #[test]
    fn other_tables_are_none() {
        for header in [
            "Method | Command | Downtime",
            "Condition | Action",
            "Script | Location | Purpose",
            "Component | Location",
            "Name | Schedule | Command",
            "Team name | Rotation | Primary",
            "Log file | Rotation",
            "Check | Frequency",
            "Key metric | Reporting frequency | Owner",
            "Secret | Last rotated | Rotated by",
            "Secret | Owner | Storage",
            "Rotation frequency | Owner",
            "Variable | Default | Poll interval",
            "Key | Refresh interval",
            "Name | Log rotation frequency",
            "Secret | Backup rotation",
            "Certificate | How often",
            "Token | Emission schedule",
            "Token | Schedule",
            "Key(s) | Interval",
            "Variable | Interval (seconds)",
            "Variable | Release cadence | Owner",
            "API key | Retry interval | Owner",
            "",
        ] {
            assert_eq!(columns(header, "Backups"), None, "{header}");
        }
        for (header, heading, expected) in [
            ("Name | Schedule", "Secret inventory", true),
            ("Name | Schedule", "Key settings", false),
            ("Name | Schedule | Owner", "After a rotation", false),
            ("Key | Schedule", "Rotation", true),
            ("Key | Schedule", "Log rotation", false),
            ("Key | Poll interval | Owner", "Secrets", false),
        ] {
            assert_eq!(columns(header, heading).is_some(), expected, "{header} under {heading}");
        }
    }

    #[test]
    fn the_other_columns_are_found_by_name() {
        let found = columns(
            "Responsible team | Stored in | Key | Class | Env | Derived from | Auto-rotation | Rotate every | Rotation notes",
            "",
        )
        .expect("a table of secrets");
        assert_eq!((found.owner, found.place, found.name, found.class), (Some(0), Some(1), 2, Some(3)));
        assert_eq!((found.environment, found.derived_from, found.auto_rotation), (Some(4), Some(5), Some(6)));
        assert_eq!((found.frequency, found.unit), (7, None));
        assert_eq!(columns("Secret | Rotation (days)", "").and_then(|found| found.unit), Some("days"));
    }
}
