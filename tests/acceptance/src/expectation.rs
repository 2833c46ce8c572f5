//! What a story expects by now, in the words of the field.

use std::time::Instant;

use anyhow::{Result, bail};
use serde_json::Value;

use crate::{
    people::Person,
    timeline::{Timeline, WITHIN},
};

/// Something that must be so once all is quiet.
pub enum Expected<'a> {
    /// A group was told exactly this, one call after the other; retries count.
    Posted {
        /// The group.
        group: String,
        /// The types of the calls, without `alert.`.
        news: Vec<String>,
    },
    /// An alert stands so, as this person reads it.
    State {
        /// Who reads.
        reader: &'a Person,
        /// The alert.
        alert: String,
        /// The state's word.
        state: String,
    },
    /// Anybody who verifies this code is told this.
    Verified {
        /// The code.
        code: String,
        /// `live`, `exercise` or `closed`.
        status: String,
        /// The state's word.
        state: String,
    },
    /// A delivery stands so, as this person reads it.
    Delivery {
        /// Who reads.
        reader: &'a Person,
        /// The alert.
        alert: String,
        /// The group, and the revision it is told.
        of: (String, u64),
        /// The state's word; `None` where there must be no such delivery.
        state: Option<String>,
    },
}

/// This group was told exactly this: `posted("g-1", &["issued", "resolved"])`.
#[must_use]
pub fn posted(group: &str, news: &[&str]) -> Expected<'static> {
    let news = news.iter().map(|news| (*news).to_owned()).collect();
    Expected::Posted { group: group.to_owned(), news }
}

/// This group was told nothing.
#[must_use]
pub fn quiet(group: &str) -> Expected<'static> {
    posted(group, &[])
}

/// The alert stands so, as `reader` reads it.
#[must_use]
pub fn state<'a>(reader: &'a Person, alert: &str, state: &str) -> Expected<'a> {
    Expected::State { reader, alert: alert.to_owned(), state: state.to_owned() }
}

/// Anybody who verifies this code is told this.
#[must_use]
pub fn verified(code: &str, status: &str, state: &str) -> Expected<'static> {
    let (code, status, state) = (code.to_owned(), status.to_owned(), state.to_owned());
    Expected::Verified { code, status, state }
}

/// The delivery of a revision to a group stands so; `None`: there is no such delivery.
#[must_use]
pub fn delivery<'a>(
    reader: &'a Person,
    alert: &str,
    (group, revision): (&str, u64),
    state: Option<&str>,
) -> Expected<'a> {
    let of = (group.to_owned(), revision);
    Expected::Delivery { reader, alert: alert.to_owned(), of, state: state.map(str::to_owned) }
}

impl Timeline {
    /// Waits until all is quiet, and this is so. Read models follow the log within a moment.
    ///
    /// # Errors
    /// It is not so; the error says what is.
    pub async fn expect(&self, expected: Expected<'_>) -> Result<()> {
        let began = Instant::now();
        loop {
            self.settle().await?;
            let Some(instead) = self.instead(&expected).await? else { return Ok(()) };
            if began.elapsed() > WITHIN {
                bail!("at {}: {instead}", self.now().0);
            }
            tokio::task::yield_now().await;
        }
    }

    /// What is so instead; `None` where it is as expected.
    async fn instead(&self, expected: &Expected<'_>) -> Result<Option<String>> {
        Ok(match expected {
            Expected::Posted { group, news } => {
                let told: Vec<String> = self.calls_to(group).iter().map(told).collect();
                let differs = told != *news;
                differs.then(|| format!("{group} was to be told {news:?}, and was told {told:?}"))
            }
            Expected::State { reader, alert, state } => {
                let answer = self.alert(reader, alert).await?;
                let differs = answer.status != 200 || answer.text_at("/state") != state;
                differs.then(|| format!("{state} was expected: {}", answer.text))
            }
            Expected::Verified { code, status, state } => {
                let anybody = Person::with_token("");
                let answer = self.get(&anybody, &format!("/v1/verify/{code}")).await?;
                let found = (answer.text_at("/status"), answer.text_at("/state"));
                let differs = found != (status, state);
                differs.then(|| format!("{status} and {state} were expected: {}", answer.text))
            }
            Expected::Delivery { reader, alert, of: (group, revision), state } => {
                let answer = self.get(reader, &format!("/v1/alerts/{alert}/deliveries")).await?;
                let all = answer.at("/deliveries").as_array().cloned().unwrap_or_default();
                let found = all.iter().find(|one| {
                    text(one, "group") == group
                        && one.get("revision").and_then(Value::as_u64) == Some(*revision)
                });
                let found = found.map(|one| text(one, "state").to_owned());
                let differs = answer.status != 200 || found != *state;
                differs.then(|| format!("{group} {revision} {state:?}: {}", answer.text))
            }
        })
    }
}

fn told(call: &support::Call) -> String {
    let news = call.news();
    news.strip_prefix("alert.").unwrap_or(&news).to_owned()
}

fn text<'a>(value: &'a Value, field: &str) -> &'a str {
    value.get(field).and_then(Value::as_str).unwrap_or_default()
}
