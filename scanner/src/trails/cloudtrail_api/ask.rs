//! Asks one region.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Instant;

use aws_lc_rs::digest::{SHA256, digest};
use aws_sdk_cloudtrail::Client;
use aws_sdk_cloudtrail::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_cloudtrail::operation::lookup_events::LookupEventsOutput;
use aws_sdk_cloudtrail::primitives::DateTime;
use aws_sdk_cloudtrail::types::{LookupAttribute, LookupAttributeKey};
use keytrail_rules::model::{Event, Gap, GapReason, Hole, Place, Raw, Time};

use super::pace::Pace;
use super::{gap, missing};
use crate::trails::cloudtrail::{event, record};
use crate::trails::{Opening, Out};

/// What is asked for: all records of which one attribute has a value.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Query {
    pub(super) key: LookupAttributeKey,
    pub(super) value: String,
}

/// What a region answered.
#[derive(Debug, Default)]
pub(super) struct Answers {
    pub(super) events: Vec<Event>,
    pub(super) same: Vec<(Place, Place)>,
    pub(super) holes: Vec<Hole>,
    pub(super) gaps: Vec<Gap>,
    pub(super) records: u64,
    pub(super) last: Option<Time>,
}

/// A region that is being asked.
pub(super) struct Asking<'a> {
    opening: &'a Opening<'a>,
    region: &'a str,
    client: Client,
    span: (Time, Time),
    pace: Pace,
    source: Arc<str>,
    /// The ids of the records that were read, which several queries may find.
    seen: HashSet<String>,
    pub(super) answers: Answers,
}

/// The region cannot be asked further.
pub(super) struct Lost;

/// Answers to one query that are read: an hour and a half of asking.
const MAX_PAGES: usize = 10_000;
/// Records of an answer.
const PAGE: i32 = 50;

impl<'a> Asking<'a> {
    pub(super) fn new(
        opening: &'a Opening<'a>,
        region: &'a str,
        client: Client,
        span: (Time, Time),
        pace: Pace,
    ) -> Self {
        let source = format!("lookup-events:{region}").into();
        Self { opening, region, client, span, pace, source, seen: HashSet::new(), answers: Answers::default() }
    }

    /// Asks one query, page after page.
    ///
    /// # Errors
    /// A region that will not answer other queries either.
    pub(super) async fn ask(&mut self, query: &Query) -> Result<(), Lost> {
        let mut token: Option<String> = None;
        for _ in 0..MAX_PAGES {
            tokio::time::sleep(self.pace.delay(Instant::now())).await;
            let page = match self.page(query, token.clone()).await {
                Ok(page) => page,
                Err(failure) => {
                    self.give_up(failure.reason, failure.message, failure.hint);
                    return Err(Lost);
                }
            };
            for event in page.events() {
                if let Some(record) = event.cloud_trail_event() {
                    self.record(record);
                }
            }
            match page.next_token {
                None => return Ok(()),
                next if next == token => {
                    self.give_up(GapReason::Malformed, "the answers to a query never end", "report it to AWS");
                    return Ok(());
                }
                next => token = next,
            }
        }
        let hint = "let the trail deliver to S3 and read the files, with the kind `cloudtrail`";
        self.give_up(GapReason::TooLarge, "there are more than 500,000 records of one name", hint);
        Ok(())
    }

    async fn page(&self, query: &Query, token: Option<String>) -> Result<LookupEventsOutput, Failure> {
        let attribute =
            LookupAttribute::builder().attribute_key(query.key.clone()).attribute_value(&query.value).build();
        let attribute = attribute.map_err(|_| UNREACHABLE)?;
        let request = self.client.lookup_events().lookup_attributes(attribute).max_results(PAGE);
        let request = request.start_time(DateTime::from_secs(self.span.0.timestamp()));
        let request = request.end_time(DateTime::from_secs(self.span.1.timestamp())).set_next_token(token);
        request.send().await.map_err(|error| Failure::of(&error))
    }

    fn record(&mut self, text: &str) {
        let mut out = Out::default();
        record::read(text.as_bytes(), &mut out);
        if let Some(why) = out.broken {
            self.give_up(
                GapReason::Malformed,
                why,
                "save the answers of `aws cloudtrail lookup-events` and look at them",
            );
            return;
        }
        self.answers.last = self.answers.last.max(out.time);
        let is_new = out.events.first().is_none_or(|draft| self.seen.insert(draft.id.to_string()));
        if !is_new {
            return;
        }
        self.answers.records += 1;
        let sha256 = digest(&SHA256, text.as_bytes()).as_ref().try_into().unwrap_or_default();
        let raw = Raw { source: self.source.clone(), offset: 0, length: text.len() as u64, line: 0, sha256 };
        let names = self.opening.names;
        for draft in out.events {
            let of_target = out.same.iter().filter(|(_, target)| *target == draft.target);
            let same: Vec<(Place, Place)> = of_target.cloned().collect();
            if names.may_be(&draft.target) || same.iter().any(|(other, _)| names.may_be(other)) {
                self.answers.same.extend(same);
                self.answers.events.push(event(draft, self.opening.trail, raw.clone()));
            }
        }
    }

    fn give_up(&mut self, reason: GapReason, message: &str, hint: &str) {
        let hole = missing(self.region, self.span, message);
        if !self.answers.holes.contains(&hole) {
            self.answers.holes.push(hole);
            self.answers.gaps.push(gap(self.opening, self.region, reason, message, hint));
        }
    }
}

/// Why a request failed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Failure {
    reason: GapReason,
    message: &'static str,
    hint: &'static str,
}

const UNREACHABLE: Failure = Failure {
    reason: GapReason::Unreachable,
    message: "CloudTrail cannot be asked",
    hint: "check the region, the network, and that the AWS CLI finds credentials: `aws cloudtrail lookup-events`",
};

impl Failure {
    fn of<E: ProvideErrorMetadata, R>(error: &SdkError<E, R>) -> Self {
        let failure = |reason, message, hint| Self { reason, message, hint };
        match (error, error.code()) {
            (SdkError::TimeoutError(_), _) => failure(GapReason::TimedOut, "CloudTrail does not answer", "try again"),
            (_, Some("AccessDeniedException" | "AccessDenied" | "OperationNotPermittedException")) => failure(
                GapReason::PermissionDenied,
                "CloudTrail refuses to be asked",
                "allow `cloudtrail:LookupEvents` to the principal",
            ),
            (
                _,
                Some(
                    "UnrecognizedClientException"
                    | "InvalidClientTokenId"
                    | "ExpiredTokenException"
                    | "ExpiredToken"
                    | "InvalidSignatureException"
                    | "SignatureDoesNotMatch"
                    | "MissingAuthenticationToken"
                    | "MissingAuthenticationTokenException"
                    | "IncompleteSignature"
                    | "AuthFailure",
                ),
            ) => failure(
                GapReason::Unauthenticated,
                "AWS does not accept the credentials",
                "log in as for the AWS CLI, and try again",
            ),
            (_, Some("ThrottlingException" | "Throttling" | "TooManyRequestsException")) => failure(
                GapReason::Unreachable,
                "CloudTrail turned requests away because there were too many",
                "others of the account ask too: try again later, or read the files of the trail",
            ),
            (SdkError::ResponseError(_), _) => {
                failure(GapReason::Malformed, "the answer is not that of CloudTrail", "check `url`")
            }
            (SdkError::ServiceError(_), _) => {
                failure(GapReason::Unreachable, "CloudTrail answers with an error", "try again later")
            }
            _ => UNREACHABLE,
        }
    }
}
