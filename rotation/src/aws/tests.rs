use super::*;

#[test]
fn a_token_is_of_its_run_and_parts_alone() {
    let one = token("kt-1", &["app/db", "staged"]);
    assert_eq!(one, token("kt-1", &["app/db", "staged"]));
    let others = [token("kt-2", &["app/db", "staged"]), token("kt-1", &["app/dbstaged"]), token("kt-1", &["app", "/dbstaged"])];
    assert!(others.iter().all(|other| *other != one));
    let lengths: Vec<usize> = one.split('-').map(str::len).collect();
    assert_eq!(lengths, [8, 4, 4, 4, 12]);
    assert_eq!(&one[14..15], "8");
}
