mod families;
mod local;

use super::*;

/// A family of each kind of detector, for the tests of the engine.
pub(crate) const SAMPLE: &str = r#"
provider = "Sample"
docs = "https://example.com/tokens"

[[detector]]
id = "sample-token"
name = "Sample token"
regex = '''smpl_[A-Za-z0-9]{32}_[0-9a-f]{8}'''
literals = ["smpl_"]
entropy = 3.0
severity = "critical"
remedy = "Make a new one."
positive = ['''smpl_{alnum:32}_{hex:8}''']
negative = ['''smpl_{alnum:12}''', '''smpl_xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx_00000000''', '''a_smpl_{alnum:32}_{hex:8}''']

[[detector]]
id = "sample-pat"
name = "Sample personal token"
regex = '''ghx_[A-Za-z0-9]{36}'''
literals = ["ghx_"]
checksum = "github-crc32"
remedy = "Make a new one."
positive = ['''ghx_{alnum:30}{crc32}''']
negative = ['''ghx_{alnum:36}''']

[[detector]]
id = "sample-key"
name = "Sample API key"
names = ["sample_store", "smplapi"]
value = '''[0-9a-f]{32}'''
entropy = 3.0
remedy = "Make a new one."
positive = [
  '''SAMPLE_STORE_API_KEY={hex:32}''',
  '''"sampleStore": { "apiKey": "{hex:32}" }''',
  '''sample-store-key: '{hex:32}' # now''',
  '''const SAMPLE_STORE: &str = "{hex:32}";''',
  '''let sampleStoreKey: string = `{hex:32}`''',
  '''<add key="SampleStore.Key" value="{hex:32}" />''',
  '''<SampleStoreKey>{hex:32}</SampleStoreKey>''',
  '''os.environ["SAMPLE_STORE_KEY"] = "{hex:32}"''',
  '''setenv("SMPLAPI_KEY", "{hex:32}", 1)''',
  '''ENV SMPLAPI_KEY {hex:32}''',
  '''tool --smplapi-key {hex:32} run''',
  '''tool --smplapi-key={hex:32} run''',
  '''curl -H 'X-Smplapi-Key: {hex:32}' url''',
  '''-H "Smplapi: Bearer {hex:32}"''',
  '''{{\"smplapi\":\"{hex:32}\"}''',
  ''':smplapi_key => "{hex:32}"''',
  '''smplapi := "{hex:32}"''',
  '''smplapi.init(api_key="{hex:32}")''',
  '''Smplapi("{hex:32}")''',
  '''smplapi API key: {hex:32}''',
  '''if smplapi_key == "{hex:32}" then''',
]
negative = [
  '''SAMPLE_STORE_KEY=${{SMPL_KEY}''',
  '''sample_store_key = "{hex:33}"''',
  '''sample_store-1.2.3.tar.gz sha256:{hex:32}''',
  '''"sample_store": { "version": 3, "md5": "{hex:32}" }''',
  '''other_key = "{hex:32}"''',
]

[[detector]]
id = "sample-pair"
name = "Sample pair"
regex = '''PAIR[A-Z0-9]{16}'''
literals = ["PAIR"]
also = { within = 60, literals = ["secret"] }
remedy = "Make a new one."
positive = ['''Secret of PAIR{upperalnum:16}''', '''PAIR{upperalnum:16} has the SECRET''']
negative = ['''PAIR{upperalnum:16}''']

[[detector]]
id = "sample-block"
name = "Sample private key"
regex = '''-----BEGIN SAMPLE KEY-----[A-Za-z0-9+/\s\\n]{64,8000}-----END SAMPLE KEY-----'''
literals = ["-----BEGIN"]
words = false
remedy = "Make a new one."
positive = ["-----BEGIN SAMPLE KEY-----\n{base64:64}\n{base64:300}\n-----END SAMPLE KEY-----"]
negative = ["-----BEGIN SAMPLE KEY-----\n-----END SAMPLE KEY-----"]

[[detector]]
id = "sample-inner"
name = "Sample link"
regex = '''https://([a-z]{8})\.sample\.example/[0-9]{12}'''
literals = [".sample.example/"]
public = true
remedy = "None."
positive = ['''https://{lower:8}.sample.example/{digit:12}''']
negative = ['''https://{lower:8}.sample.example/''']
"#;

/// The detectors of [`SAMPLE`].
pub(crate) fn sample() -> &'static Detectors {
    static DETECTORS: OnceLock<Detectors> = OnceLock::new();
    DETECTORS.get_or_init(|| only(SAMPLE))
}

/// The detectors of a family, with the built-in ones left out.
pub(crate) fn only(toml: &str) -> Detectors {
    let family = Family::parse(toml).unwrap();
    Detectors::new(|_| false, family.detectors.into_iter().map(|detector| detector.spec).collect()).unwrap()
}

pub(crate) fn search(detectors: &Detectors, text: &str) -> Vec<(String, String)> {
    let mut hits = Hits::default();
    detectors.search(text.as_bytes(), 0..text.len(), &mut (), &mut hits);
    detectors.settle(&mut hits.hits);
    let id = |found| match found {
        Found::Detector(detector) => detectors.about(detector).id.to_string(),
        Found::Known(_) => String::new(),
    };
    hits.hits.iter().map(|hit| (id(hit.found), text[hit.value.clone()].to_owned())).collect()
}

#[test]
fn the_built_in_detectors_are_there_and_compile() {
    let detectors = Detectors::builtin();
    for (entry, index) in detectors.entries.iter().zip(0..) {
        let about = detectors.about(index);
        assert!(entry.spec().is_none() || entry.compiled().is_some(), "{}: the regex is beyond the limits", about.id);
        assert_eq!(detectors.find(&about.id), Some(index));
        assert!(!about.name.is_empty() && !about.provider.is_empty(), "{}", about.id);
        assert!(about.remedy.ends_with('.'), "{}: the remedy is no sentence", about.id);
        let (before, after) = entry.reach();
        assert!(before <= MARGIN && after <= LONGEST, "{}", about.id);
        assert!(entry.literals().iter().all(|literal| literal.text.len() >= 4), "{}", about.id);
        let lower = |literal: &Literal| literal.text.bytes().all(|byte| !byte.is_ascii_uppercase());
        assert!(entry.literals().iter().all(|literal| !literal.any_case || lower(literal)), "{}", about.id);
    }
}

#[test]
fn what_is_known_of_a_detector_follows_from_its_regex() {
    let detectors = sample();
    let spec = |id: &str| detectors.spec(detectors.find(id).unwrap()).unwrap();
    assert_eq!(detectors.prefix(detectors.find("sample-token").unwrap()), "smpl_");
    assert_eq!(spec("sample-token").after, 46 + spec::BOUNDARY);
    assert!(!spec("sample-token").is_long() && spec("sample-block").is_long());
    assert_eq!(spec("sample-pair").before, 60);
    assert!(matches!(spec("sample-inner").matcher, Matcher::Token { lead: Some(16), group: 1, flush: false, .. }));
    assert_eq!(detectors.about(detectors.find("sample-inner").unwrap()).severity, Severity::Info);
    assert!(spec("sample-pat").specificity > spec("sample-token").specificity);
}

#[test]
fn a_mistake_is_told_with_its_line() {
    let wrong = |from: &str, to: &str| Family::parse(&SAMPLE.replacen(from, to, 1)).unwrap_err().to_string();
    let line = |text: &str| SAMPLE.lines().position(|line| line.contains(text)).unwrap() + 1;
    let regex = line("regex = '''smpl_");
    assert_eq!(
        wrong("[A-Za-z0-9]{32}_", "[A-Za-z0-9{32}_"),
        format!("line {regex}: sample-token: unclosed character class")
    );
    let literal = line("[\"smpl_\"]");
    assert_eq!(wrong("[\"smpl_\"]", "[\"sm\"]"), format!("line {literal}: sample-token: `sm` is shorter than 4 bytes"));
    assert!(wrong("severity =", "severty =").contains("severty"));
    assert!(
        wrong("github-crc32", "crc").starts_with(&format!("line {}: sample-pat: no checksum `crc`", line("github-")))
    );
    assert!(wrong("id = \"sample-pat\"", "id = \"sample-token\"").contains("there twice"));
}

#[test]
fn what_became_of_a_candidate_is_explained() {
    let detectors = sample();
    let verdicts = |text: &str| {
        detectors.explain(text.as_bytes(), None).iter().map(|trace| trace.verdict.to_string()).collect::<Vec<_>>()
    };
    assert_eq!(verdicts("smpl_1"), ["the literal is there, the regular expression does not match"]);
    let low = format!("smpl_{}_00000000", "ab".repeat(16));
    assert_eq!(verdicts(&low), ["entropy 2.2 < 3.0"]);
    assert_eq!(verdicts("smplapi = none"), ["the name is there, nothing of the value's shape is assigned to it"]);
    let token = template::expand("ghx_{alnum:36}", "a", None).unwrap();
    assert_eq!(verdicts(&token), ["the checksum in the token is wrong"]);
}

#[test]
fn of_hits_at_one_place_the_surest_and_then_the_longest_is_left() {
    let hit = |found, value: Range<usize>| Hit { found, depends: value.clone(), value, decoded: None };
    let (token, inner, key) = (0, 5, 2);
    let hits = [
        hit(Found::Detector(key), 0..40),
        hit(Found::Detector(token), 10..20),
        hit(Found::Detector(token), 10..20),
        hit(Found::Detector(token), 15..30),
        hit(Found::Known(0), 50..60),
        hit(Found::Detector(token), 45..65),
        hit(Found::Detector(inner), 70..80),
    ];
    let settled = |mut hits: Vec<Hit>| {
        sample().settle(&mut hits);
        hits.iter().map(|hit| (hit.found, hit.value.clone())).collect::<Vec<_>>()
    };
    let again = |hits: &[Hit]| hits.iter().map(|old| hit(old.found, old.value.clone())).collect::<Vec<_>>();
    let expected = vec![(Found::Detector(token), 15..30), (Found::Known(0), 50..60), (Found::Detector(inner), 70..80)];
    for turn in 0..hits.len() {
        let mut turned = again(&hits);
        turned.rotate_left(turn);
        assert_eq!(settled(turned), expected);
    }
}

#[test]
fn a_secret_is_reported_once_and_as_itself() {
    let token = template::expand("smpl_{alnum:32}_{hex:8}", "once", None).unwrap();
    assert_eq!(search(sample(), &format!("smpl_ smpl_x {token}")), [("sample-token".to_owned(), token)]);
}
