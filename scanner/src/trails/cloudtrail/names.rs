//! What CloudTrail calls credentials, as places.

use keytrail_rules::model::Place;

/// The place of a secret of Secrets Manager, by name or by ARN.
pub(super) fn secret(id: &str) -> Place {
    Place::of_path("aws-secrets-manager", id)
}

/// The name within the ARN of a secret: without the hyphen and the six characters that Secrets Manager adds. An ARN that
/// was given without them, and ends as if it had them, is taken for whole, as AWS takes it.
///
/// Source: <https://docs.aws.amazon.com/secretsmanager/latest/userguide/troubleshoot.html#ARN_secretnamehyphen>
pub(super) fn secret_name(arn: &str) -> Option<&str> {
    let name = resource(arn, "secretsmanager")?.strip_prefix("secret:")?;
    let whole = name.len() > 7 && {
        let (_, suffix) = name.split_at_checked(name.len() - 7)?;
        suffix.starts_with('-') && suffix[1..].bytes().all(|byte| byte.is_ascii_alphanumeric())
    };
    Some(if whole { &name[..name.len() - 7] } else { name }).filter(|name| !name.is_empty())
}

/// The place of a parameter of SSM, given by name, by path or by ARN, with the version that a selector (`name:3`) asks for. A
/// parameter outside of a folder has two spellings, with a slash and without: the place is with it.
pub(super) fn parameter(id: &str) -> (Place, Option<&str>) {
    let name = resource(id, "ssm").and_then(|rest| rest.strip_prefix("parameter")).unwrap_or(id);
    let (name, selector) = name.split_once(':').map_or((name, None), |(name, selector)| (name, Some(selector)));
    (parameter_place(&format!("/{}", name.trim_start_matches('/'))), selector)
}

/// The place of a parameter in exactly this spelling.
pub(super) fn parameter_place(name: &str) -> Place {
    Place::of_path("aws-ssm", name)
}

/// The last part of the ARN of a thing of one service.
///
/// Source: <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference-arns.html>
fn resource<'a>(arn: &'a str, service: &str) -> Option<&'a str> {
    let mut parts = arn.splitn(6, ':');
    let is_of = parts.next() == Some("arn") && parts.next().is_some() && parts.next() == Some(service);
    parts.nth(2).filter(|_| is_of)
}

/// The ARN and the version in the id of a request of a rotation: `Rotation-ARN-VERSION`.
pub(super) fn rotation(request: &str) -> Option<(&str, &str)> {
    const UUID: usize = 36;
    let rest = request.strip_prefix("Rotation-")?;
    let (arn, version) = rest.split_at_checked(rest.len().checked_sub(UUID)?)?;
    let arn = arn.strip_suffix('-')?;
    (secret_name(arn).is_some() && is_uuid(version)).then_some((arn, version))
}

/// Whether a text is a UUID in its usual spelling.
fn is_uuid(text: &str) -> bool {
    text.len() == 36
        && text.bytes().enumerate().all(|(at, byte)| match at {
            8 | 13 | 18 | 23 => byte == b'-',
            _ => byte.is_ascii_hexdigit(),
        })
}

/// The run that a user agent carries: `keytrail-run/ID`, `keytrail/run-ID`, or a UUID after an underscore, as in
/// `exec-env/grimoire_UUID`.
pub(super) fn run(agent: &str) -> Option<&str> {
    let ends = |c: char| !c.is_ascii_alphanumeric() && !"-_.:".contains(c);
    let named = ["keytrail-run/", "keytrail/run-"].iter().find_map(|mark| {
        let (_, rest) = agent.split_once(mark)?;
        rest.split(ends).next().filter(|id| !id.is_empty())
    });
    named.or_else(|| {
        let words = agent.split([' ', '[', ']', '(', ')', ';', ',']);
        words.filter_map(|word| word.rsplit_once('_').map(|(_, id)| id)).find(|id| is_uuid(id))
    })
}

/// Whether two ARNs of secrets of one name are of two credentials: neither made anew in one account and region, nor copies
/// of one in several regions.
pub(super) fn are_apart(one: &str, other: &str) -> bool {
    let parts = |arn: &str| {
        let mut parts = arn.splitn(7, ':').skip(3).map(str::to_owned);
        (parts.next(), parts.next(), parts.nth(1))
    };
    let ((region, account, name), (other_region, other_account, other_name)) = (parts(one), parts(other));
    account != other_account || (region != other_region && name != other_name)
}
