//! The officer sees who has not been corrected yet, until the list is empty.

use acceptance::{
    Person, Timeline, delivery, group, maps::HOANG_THINH, posted, state, target::Down,
};
use anyhow::{Context, Result};
use domain::rights::Standing;
use serde_json::{Value, json};
use support::{Answer, Reply};

const HERE: &str = "15958";
const BESIDE: &str = "15925";

async fn list(day: &Timeline, person: &Person, alert: &str) -> Result<Answer> {
    day.get(person, &format!("/v1/alerts/{alert}/uncorrected")).await?.expect(200)
}

/// Commune, group, revision heard, where it stands, and whether a person is needed.
type Open<'a> = (&'a str, &'a str, u64, &'a str, bool);

fn open(list: &Answer) -> Result<Vec<Open<'_>>> {
    let all = list.at("/uncorrected").as_array().context("a list")?;
    all.iter()
        .map(|one| {
            Some((
                one.get("commune")?.as_str()?,
                one.get("group")?.as_str()?,
                one.get("heard")?.as_u64()?,
                one.get("stands")?.as_str()?,
                one.get("needs_a_person")?.as_bool()?,
            ))
        })
        .map(|one| one.context("a field is missing"))
        .collect()
}

#[tokio::test]
async fn a_group_that_is_down_at_the_cancel_is_on_it_until_it_comes_up() -> Result<()> {
    let mut day = Timeline::on("2025-04-13", HOANG_THINH).await?;
    let down = Down::new()?;
    day.groups([group("well", HERE), group("late", HERE), group("late-n", BESIDE)]).await?;
    day.groups([group("never", HERE).at(&down.base())]).await?;
    let an = day.officer("an", HERE).await?;
    let (beside, far) = (day.officer("binh", BESIDE).await?, day.officer("xa", "14797").await?);
    let province = day.province("em", "38").await?;
    day.at("10:00").await?;
    let raised = day.raise(&an, &day.alert_of("lost-child", HERE, "20:00")?).await?.expect(201)?;
    let alert = raised.text_at("/id");
    for told in ["well", "late", "late-n"] {
        day.expect(posted(told, &["issued"])).await?;
    }
    let nothing = list(&day, &an, alert).await?;
    assert_eq!((nothing.at("/revision"), nothing.at("/news")), (&Value::Null, &Value::Null));
    assert_eq!(open(&nothing)?, []);

    day.at("10:00:03").await?;
    for late in ["late", "late-n"] {
        day.sink()?.answer(&format!("/g/{late}"), Reply::status(503));
    }
    day.act(&an, alert, "cancel", &json!({ "note": "Báo nhầm." })).await?.expect(200)?;
    day.expect(posted("well", &["issued", "cancelled"])).await?;
    for late in ["late", "late-n"] {
        day.expect(posted(late, &["issued", "cancelled"])).await?;
    }
    day.expect(delivery(&an, alert, ("late", 2), Some("retrying"))).await?;
    day.expect(delivery(&an, alert, ("late-n", 2), Some("retrying"))).await?;
    let left = list(&day, &an, alert).await?;
    assert_eq!((left.at("/revision"), left.text_at("/news")), (&json!(2), "cancelled"));
    let wanted = [(BESIDE, "late-n", 1, "retrying", false), (HERE, "late", 1, "retrying", false)];
    assert_eq!(open(&left)?, wanted);
    assert_eq!(left.at("/need_a_person"), &json!(0));
    let next = left.text_at("/uncorrected/0/next_attempt_at");
    assert_eq!(next, "2025-04-13T03:00:05.000Z");

    // The province answers for it too; a commune that it was relayed to sees its own deliveries.
    assert_eq!(open(&list(&day, &province, alert).await?)?, wanted);
    let path = format!("/v1/alerts/{alert}/uncorrected");
    day.get(&beside, &path).await?.expect(403)?;
    day.get(&far, &path).await?.expect(404)?;

    day.sink()?.answer("/g/late-n", Reply::status(200));
    day.at("10:10").await?;
    day.expect(delivery(&an, alert, ("late-n", 2), Some("delivered"))).await?;
    assert_eq!(open(&list(&day, &an, alert).await?)?, [(HERE, "late", 1, "retrying", false)]);
    day.sink()?.answer("/g/late", Reply::status(200));
    day.at("12:00").await?;
    day.expect(delivery(&an, alert, ("late", 2), Some("delivered"))).await?;
    let nobody = list(&day, &an, alert).await?;
    assert_eq!((nobody.at("/revision"), open(&nobody)?), (&json!(2), vec![]));
    // Who was certainly never told has nothing to be corrected.
    day.expect(delivery(&an, alert, ("never", 2), None)).await?;
    day.ends().await
}

#[tokio::test]
async fn one_that_no_correction_can_reach_stays_and_needs_a_person() -> Result<()> {
    let mut day = Timeline::on("2025-04-13", HOANG_THINH).await?;
    day.groups([group("well", HERE), group("gone", HERE)]).await?;
    let an = day.officer("an", HERE).await?;
    day.at("10:00").await?;
    let raised = day.raise(&an, &day.alert_of("lost-child", HERE, "11:00")?).await?.expect(201)?;
    let alert = raised.text_at("/id");
    day.expect(posted("gone", &["issued"])).await?;
    day.at("10:10").await?;
    // An update says more: nobody has to be corrected.
    day.act(&an, alert, "update", &json!({ "description": "Đội mũ đỏ." })).await?.expect(200)?;
    day.expect(posted("gone", &["issued", "updated"])).await?;
    assert_eq!(list(&day, &an, alert).await?.at("/revision"), &Value::Null);

    day.sink()?.answer("/g/gone", Reply::status(410));
    let wrong = json!({ "description": null });
    day.act(&an, alert, "correct", &wrong).await?.expect(200)?;
    day.expect(delivery(&an, alert, ("well", 3), Some("delivered"))).await?;
    day.expect(delivery(&an, alert, ("gone", 3), Some("failed"))).await?;
    let left = list(&day, &an, alert).await?;
    assert_eq!((left.at("/revision"), left.text_at("/news")), (&json!(3), "corrected"));
    assert_eq!(open(&left)?, [(HERE, "gone", 2, "not-reached", true)]);
    assert_eq!(left.at("/need_a_person"), &json!(1));

    // The end corrects as well, for whoever has heard anything before it.
    day.at("11:30").await?;
    day.expect(state(&an, alert, "expired")).await?;
    day.expect(delivery(&an, alert, ("well", 4), Some("delivered"))).await?;
    day.expect(delivery(&an, alert, ("gone", 4), Some("failed"))).await?;
    let left = list(&day, &an, alert).await?;
    assert_eq!((left.at("/revision"), left.text_at("/news")), (&json!(4), "expired"));
    assert_eq!(open(&left)?, [(HERE, "gone", 2, "not-reached", true)]);

    // Somebody goes there, and says so: the list is empty, until something else is corrected.
    let khanh = day.person("khanh", Standing::Auditor).await?;
    let told = json!({ "group": "gone", "note": "Đã gọi trưởng thôn." });
    for (body, field) in [
        (json!({ "group": "gone" }), "note"),
        (json!({ "group": "well", "note": "a" }), "group"),
        (json!({ "group": "gone", "channel": "webhook-9", "note": "a" }), "group"),
    ] {
        let refused = day.act(&an, alert, "attest", &body).await?.expect(400)?;
        assert_eq!(refused.problem()?.errors[0].0, field);
    }
    day.act(&an, alert, "attest", &told).await?.expect(200)?;
    let nobody = list(&day, &an, alert).await?;
    assert_eq!((nobody.at("/revision"), open(&nobody)?), (&json!(4), vec![]));
    let again = day.act(&an, alert, "attest", &told).await?.expect(400)?;
    assert_eq!(again.problem()?.errors[0].0, "group");
    let lines = day.records(&khanh, &format!("?alert={alert}")).await?;
    let attested: Vec<&Value> = lines
        .iter()
        .filter(|line| line.kind == "AlertCorrectionAttested")
        .map(|line| &line.data)
        .collect();
    assert_eq!((attested.len(), &attested[0]["officer"]), (1, &json!("an")));
    let wrong = json!({ "person": null });
    day.act(&an, alert, "correct", &wrong).await?.expect(200)?;
    day.expect(delivery(&an, alert, ("gone", 5), Some("failed"))).await?;
    let left = list(&day, &an, alert).await?;
    assert_eq!(open(&left)?, [(HERE, "gone", 2, "not-reached", true)]);
    day.ends().await
}
