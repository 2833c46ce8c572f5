//! A commune that answers again and again: what is already so fills no disk.

use acceptance::{Person, Timeline, group, maps::HOANG_THINH, posted};
use anyhow::{Result, ensure};
use support::Answer;

const HERE: &str = "15958";
const NEIGHBOUR: &str = "15925";
const REPEATS: usize = 1_000;

async fn answer(
    day: &Timeline,
    (person, alert, action): (&Person, &str, &str),
    body: &str,
    key: &str,
) -> Result<Answer> {
    let path = format!("/v1/alerts/{alert}/{action}");
    day.post_bytes(person, &path, body.as_bytes().to_vec(), Some(key)).await
}

#[tokio::test]
async fn a_thousand_acknowledgements_are_one_record() -> Result<()> {
    let mut day = Timeline::on("2025-04-13", HOANG_THINH).await?;
    day.groups([group("g-1", HERE), group("g-2", NEIGHBOUR)]).await?;
    let an = day.officer("an", HERE).await?;
    let binh = day.officer("binh", NEIGHBOUR).await?;
    day.at("10:00").await?;
    let raised = day.raise(&an, &day.alert_of("lost-child", HERE, "20:00")?).await?.expect(201)?;
    let alert = raised.text_at("/id");
    day.expect(posted("g-2", &["issued"])).await?;
    let acknowledge = (&binh, alert, "acknowledge");
    let note = r#"{"note":"Đã rõ."}"#;
    let first = answer(&day, acknowledge, note, "k").await?.expect(200)?;
    // Receipts come by themselves; what the repeats could add are commands and answers.
    day.settle().await?;
    let records = day.log().records().len();

    for n in 0..REPEATS {
        // The same request, another key with the same words, and with none.
        let (body, key) = match n % 3 {
            0 => (note, "k".to_owned()),
            1 => (note, format!("k-{n}")),
            _ => ("{}", format!("k-{n}")),
        };
        let again = answer(&day, acknowledge, body, &key).await?.expect(200)?;
        ensure!(again.text == first.text, "{}\n{}", first.text, again.text);
    }
    day.settle().await?;
    let more: Vec<_> = day.log().records().split_off(records);
    ensure!(more.is_empty(), "{} records more: {:?}", more.len(), more.first());

    let other = answer(&day, acknowledge, r#"{"note":"Khác."}"#, "k").await?.expect(409)?;
    assert_eq!(other.problem()?.code, "idempotency-conflict");
    ensure!(day.log().records().len() == records, "a conflict was recorded");
    // Another answer is something new, and so is its refusal.
    let refused = answer(&day, (&binh, alert, "refuse"), "{}", "r").await?.expect(409)?;
    assert_eq!(refused.problem()?.code, "already-acknowledged");
    ensure!(day.log().records().len() == records + 2, "it was not recorded");
    day.ends().await
}
