use proptest::prelude::*;
use sha2::{Digest, Sha256};

use super::*;

/// What `examine` reports in a text, over all of its literals.
fn found(text: &str) -> Vec<String> {
    let text = text.as_bytes();
    let mut values: Vec<String> = Vec::new();
    for at in (0..text.len()).filter(|at| is_keyword(text, *at)) {
        let start = at.saturating_sub(BEFORE);
        let window = &text[start..text.len().min(at + AFTER)];
        Generic.examine(window, at - start, &mut |range| {
            let value = String::from_utf8_lossy(&window[range]).into_owned();
            if !values.contains(&value) {
                values.push(value);
            }
        });
    }
    values
}

/// A random text of a length, over an alphabet, that looks like nothing of any provider.
fn random(seed: u64, alphabet: &str, length: usize) -> String {
    let digest = (0_u64..).flat_map(|block| Sha256::digest(format!("{seed}/{block}")).to_vec());
    let letters: Vec<char> = alphabet.chars().collect();
    digest.take(length).map(|byte| letters[usize::from(byte) % letters.len()]).collect()
}

const ALPHANUMERIC: &str = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";

/// `{}` is the value.
const FORMS: &[(&str, &str)] = &[
    ("Python", r#"db_password = "{}""#),
    ("Python, keyword argument", r#"connect(host, password='{}', port=5)"#),
    ("Python, environment", r#"SECRET = os.environ.get("APP_SECRET") or "{}""#),
    ("Python, default", r#"api_key = os.getenv("API_KEY", "{}")"#),
    ("JavaScript", "const apiToken = '{}';"),
    ("JavaScript, member", "  password: '{}',"),
    ("TypeScript", "private readonly password: string = '{}';"),
    ("Java", r#"private static final String DB_PASSWORD = "{}";"#),
    ("Java, call", r#"dataSource.setPassword("{}");"#),
    ("Go", r#"	password := "{}""#),
    ("Go, member", r#"		Password: "{}","#),
    ("C#", r#"public const string ClientSecret = "{}";"#),
    ("PHP", r#"$config['db_password'] = '{}';"#),
    ("PHP, define", r#"define('DB_PASSWORD', '{}');"#),
    ("Ruby", r#"  :password => "{}","#),
    ("C", r#"static const char password[] = "{}";"#),
    ("Rust", r#"const PASSWORD: &str = "{}";"#),
    ("Shell", "export DB_PASSWORD={}"),
    ("Kotlin", r#"val dbPassword: String = "{}""#),
    ("Swift", r#"let clientSecret = "{}""#),
    ("Comparison", r#"if password == "{}" {"#),
    ("JSON", r#"{"user": "joe", "password": "{}"}"#),
    ("JSON in a text", r#"body = "{\"password\": \"{}\", \"id\": 12}""#),
    ("YAML", "  password: {}"),
    ("INI", "password = {}"),
    ("Properties", "spring.datasource.password={}"),
    ("XML", "<password>{}</password>"),
    ("XML, attributes", r#"<add key="DbPassword" value="{}" />"#),
    ("Kubernetes", r#"{"name": "DB_PASSWORD", "value": "{}"}"#),
    ("Kubernetes, YAML", "  - name: DB_PASSWORD\n    value: {}"),
    ("Property list", "<key>ApiKey</key>\n  <string>{}</string>"),
    ("Dockerfile", "ENV MYSQL_ROOT_PASSWORD={}"),
    ("Flag", "backup --password {} --verbose"),
    ("Flag with =", "backup --password={} --verbose"),
    ("curl", "curl -s -u admin:{} https://host/path"),
    ("mysql", "mysql -u root -p{} app"),
    ("sshpass", "sshpass -p {} ssh host"),
    ("Header", "X-Api-Key: {}"),
    ("SQL", "ALTER USER app IDENTIFIED BY '{}';"),
    ("PostgreSQL", "CREATE USER app WITH PASSWORD '{}';"),
    (".netrc", "machine host login joe password {}"),
];

#[test]
fn a_random_value_is_found_in_every_language_with_its_exact_ends() {
    let mut missed = Vec::new();
    for (form, line) in FORMS {
        for seed in 0..4 {
            let value = random(seed, ALPHANUMERIC, 20);
            let text = format!("first line\n{}\nlast line\n", line.replace("{}", &value));
            if found(&text) != [value.as_str()] {
                missed.push((*form, seed));
            }
        }
    }
    assert!(missed.is_empty(), "{missed:?}");
}

#[test]
fn a_value_at_the_end_of_the_text_is_found() {
    let value = random(1, ALPHANUMERIC, 20);
    assert_eq!(found(&format!("DB_PASSWORD={value}")), [value]);
}

#[test]
fn a_value_that_the_window_cuts_is_not_reported() {
    let value = random(1, ALPHANUMERIC, 400);
    assert_eq!(found(&format!("DB_PASSWORD={value}\n")), Vec::<String>::new());
}

#[test]
fn what_is_no_secret_is_not_found() {
    let lines = [
        "password = os.environ['DB_PASSWORD']",
        "password = config.database.password",
        "password: ${DB_PASSWORD}",
        "password: {{ vault_db_password }}",
        r#"password = "changeme""#,
        r#"password = "your_password_here""#,
        r#"api_key = "<your api key>""#,
        r#"api_key = "YOUR_API_KEY""#,
        r#"token = "xxxxxxxxxxxxxxxxxxxx""#,
        r#"password = "********""#,
        r#"token_url = "https://example.org/oauth/token""#,
        r#"password_file = "/run/secrets/db_password""#,
        r#""LABEL_PASSWORD": "Passwort bestätigen","#,
        r#""FORGOT_PASSWORD": "Have you forgotten it?","#,
        r#"const secretName = "database-credentials";"#,
        r#"public static final String PASSWORD_FIELD = "password";"#,
        "fn authenticate(token: AccessToken, password: &str) -> Result<Session, Error> {",
        "let token = self.next_token();",
        "join_token=join_token,",
        "pub const E_NO_PASSWORD: i32 = 0x8031_002C_u32;",
        "author = \"A. N. Other\"",
        "tokenizer = \"sentencepiece\"",
        "primary_key: true",
        r#""secretAccessKey": "aZ8fK2mQ9vT4xB7nEXAMPLEKEY""#,
        "password: $2b$12$abcdefghijklmnopqrstuv",
        "credential = null",
        "secret = vault:secret/data/app#password",
        r#"{"kind": "auth", "aZ8fK2mQ9vT4xB7nQ1wL": 1}"#,
    ];
    let wrong: Vec<_> = lines.iter().filter(|line| !found(line).is_empty()).collect();
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn explain_says_why_and_holds_no_part_of_the_value() {
    let value = random(3, ALPHANUMERIC, 20);
    let explain = |line: &str| {
        let at = (0..line.len()).find(|at| is_keyword(line.as_bytes(), *at)).unwrap();
        let mut lines = Vec::new();
        Generic.explain(line.as_bytes(), at, &mut |line| lines.push(line));
        lines.join("\n")
    };
    let kept = explain(&format!("password = \"{value}\""));
    assert!(kept.contains("kept: looks random") && !kept.contains(&value), "{kept}");
    let reference = explain("password = \"${DB_PASSWORD}\"");
    assert!(reference.contains("dropped: it refers to a value elsewhere"), "{reference}");
    let identifier = explain("secret = \"database_connection_name\"");
    assert!(identifier.contains("dropped: reads as an identifier"), "{identifier}");
    assert_eq!(explain("password protected"), "no value stands beside this name");
}

#[test]
fn the_weights_are_those_that_the_readme_names() {
    let digest = Sha256::digest(include_bytes!("weights.bin"));
    let digest: String = digest.iter().map(|byte| format!("{byte:02x}")).collect();
    assert!(include_str!("../../../training/README.md").contains(&digest), "{digest}");
    assert!(model::model().threshold() != i32::MAX, "the weights are readable");
}

proptest! {
    #[test]
    fn the_forest_may_stop_early(features in proptest::array::uniform32(-5_i16..120)) {
        let mut all = [0; COUNT];
        all.iter_mut().zip(features.iter().cycle()).for_each(|(place, feature)| *place = *feature);
        let model = model::model();
        prop_assert_eq!(model.accepts(&all), model.score(&all) >= model.threshold());
    }
}

#[test]
fn literals_are_of_four_bytes_or_more_in_lower_case() {
    for literal in Generic.literals() {
        assert!(
            literal.text.len() >= 4 && literal.any_case && literal.text.to_ascii_lowercase() == literal.text,
            "{}",
            literal.text
        );
    }
}

proptest! {
    #[test]
    fn arbitrary_bytes_never_panic_and_ranges_lie_in_the_window(
        before in proptest::collection::vec(any::<u8>(), 0..BEFORE),
        keyword in 0_usize..200,
        after in proptest::collection::vec(any::<u8>(), 0..AFTER),
    ) {
        let literals = Generic.literals();
        let mut window = before.clone();
        window.extend_from_slice(literals[keyword % literals.len()].text.as_bytes());
        window.extend_from_slice(&after);
        window.truncate(before.len() + AFTER);
        let mut ranges = Vec::new();
        Generic.examine(&window, before.len(), &mut |range| ranges.push(range));
        prop_assert!(ranges.iter().all(|range| range.start < range.end && range.end <= window.len()));
        let judged = judge(&window, before.len()).filter(Judged::is_secret).map(|judged| judged.candidate.value.range);
        prop_assert_eq!(ranges, Vec::from_iter(judged));
        Generic.explain(&window, before.len(), &mut |_| {});
    }

    #[test]
    fn code_like_bytes_never_panic(text in r#"[ -~]{0,40}(password|token|api_key|secret|curl |basic )[\\"'=: ,(){}\[\]a-z0-9$<>|?-]{0,120}"#) {
        found(&text);
    }

    #[test]
    fn random_values_under_a_strong_name_are_nearly_always_found(seed in any::<u64>()) {
        let value = random(seed, ALPHANUMERIC, 24);
        prop_assert_eq!(found(&format!("client_secret = \"{value}\"\n")), vec![value]);
    }
}
