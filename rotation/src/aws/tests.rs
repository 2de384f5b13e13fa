use super::*;

#[test]
fn a_token_is_of_its_run_and_parts_alone() {
    let one = token("kt-1", &["app/db", "staged"]);
    assert_eq!(one, token("kt-1", &["app/db", "staged"]));
    let others =
        [token("kt-2", &["app/db", "staged"]), token("kt-1", &["app/dbstaged"]), token("kt-1", &["app", "/dbstaged"])];
    assert!(others.iter().all(|other| *other != one));
    let lengths: Vec<usize> = one.split('-').map(str::len).collect();
    assert_eq!(lengths, [8, 4, 4, 4, 12]);
    assert_eq!(&one[14..15], "8");
}

#[test]
fn an_arn_names_the_region_where_the_config_does_not() {
    let arn = "arn:aws:secretsmanager:eu-west-1:111122223333:secret:prod/db-a1B2c3";
    let region = |given: Option<&str>, name: &str| {
        Access { region: given.map(str::to_owned), ..Access::default() }.near(name).region
    };
    assert_eq!(region(None, arn).as_deref(), Some("eu-west-1"));
    assert_eq!(region(Some("us-east-1"), arn).as_deref(), Some("us-east-1"));
    assert_eq!(
        [region(None, "prod/db"), region(None, "arn:aws:iam::1:user/x"), region(None, "a:b:c:d")],
        [None, None, None]
    );
}
