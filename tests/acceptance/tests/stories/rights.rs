//! A commune sees and does only what is its own, or what was relayed to it.

use acceptance::{Person, Timeline, group, maps::TRUNG_LUONG, posted};
use anyhow::Result;
use domain::rights::Standing;
use serde_json::{Value, json};

const HERE: &str = "18121";

/// Who asks, in the order of every row below: of the own commune an officer and the commander;
/// an officer of a commune that it was relayed to, and of one that it was not; the desks of the
/// own province, and of one across the river with one commune in reach; auditor, admin, nobody.
async fn everybody(day: &Timeline) -> Result<[Person; 9]> {
    Ok([
        day.officer("an", HERE).await?,
        day.commander("binh", HERE).await?,
        day.officer("cuong", "18124").await?,
        day.officer("dung", "18127").await?,
        day.province("giang", "42").await?,
        day.province("hoa", "40").await?,
        day.person("khanh", Standing::Auditor).await?,
        day.person("linh", Standing::Admin).await?,
        Person::with_token("keng_nobody"),
    ])
}

async fn afternoon() -> Result<(Timeline, [Person; 9])> {
    let mut day = Timeline::on("2024-02-19", TRUNG_LUONG).await?;
    day.groups([group("g-1", HERE)]).await?;
    let people = everybody(&day).await?;
    day.at("14:00").await?;
    Ok((day, people))
}

#[tokio::test]
async fn reading_follows_the_table() -> Result<()> {
    let (day, people) = afternoon().await?;
    let [an, ..] = &people;
    let raised = day.raise(an, &day.alert_of("found-child", HERE, "23:00")?).await?.expect(201)?;
    let (alert, code) = (raised.text_at("/id"), raised.text_at("/code"));
    let rows: [(String, [u16; 9]); 8] = [
        (format!("/v1/alerts/{alert}"), [200, 200, 200, 404, 200, 200, 403, 403, 401]),
        (format!("/v1/alerts/{alert}/deliveries"), [200, 200, 200, 404, 200, 200, 403, 403, 401]),
        ("/v1/alerts".to_owned(), [200, 200, 200, 200, 200, 200, 403, 403, 401]),
        // A filter shows nothing that is not there without it.
        (format!("/v1/alerts?commune={HERE}"), [200, 200, 200, 200, 200, 200, 403, 403, 401]),
        (format!("/v1/stream?commune={HERE}"), [0, 0, 403, 403, 0, 403, 403, 403, 401]),
        ("/v1/audit/records".to_owned(), [403, 403, 403, 403, 403, 403, 200, 403, 401]),
        ("/v1/tokens".to_owned(), [403, 403, 403, 403, 403, 403, 403, 200, 401]),
        (format!("/v1/verify/{code}"), [200; 9]),
    ];
    for (path, wanted) in rows {
        // A stream that is granted does not end; that it is has its own tests.
        for (n, (person, wanted)) in
            people.iter().zip(wanted).enumerate().filter(|(_, of)| of.1 > 0)
        {
            assert_eq!(day.get(person, &path).await?.status, wanted, "{path} by {n}");
        }
    }
    let listed = async |person: &Person| -> Result<Option<usize>> {
        let answer = day.get(person, "/v1/alerts").await?.expect(200)?;
        Ok(answer.at("/alerts").as_array().map(Vec::len))
    };
    let [own, _, neighbour, foreign, ..] = &people;
    assert_eq!(listed(own).await?, Some(1));
    assert_eq!(listed(neighbour).await?, Some(1));
    assert_eq!(listed(foreign).await?, Some(0));
    day.ends().await
}

#[tokio::test]
async fn raising_is_for_the_own_commune() -> Result<()> {
    let (day, people) = afternoon().await?;
    for (commune, wanted) in [
        (HERE, [201, 201, 403, 403, 201, 403, 403, 403, 401]),
        ("18127", [403, 403, 403, 201, 201, 403, 403, 403, 401]),
        ("18052", [403, 403, 403, 403, 403, 201, 403, 403, 401]),
    ] {
        let lost = day.alert_of("lost-child", commune, "23:00")?;
        for (n, (person, wanted)) in people.iter().zip(wanted).enumerate() {
            let answer = day.raise(person, &lost).await?;
            assert_eq!(answer.status, wanted, "{commune} by {n}: {}", answer.text);
        }
    }
    day.ends().await
}

#[tokio::test]
async fn acting_follows_the_table() -> Result<()> {
    let (day, people) = afternoon().await?;
    let [an, binh, ..] = &people;
    let rows: [(&str, &str, Value, [u16; 9]); 5] = [
        ("cancel", "found-child", json!({}), [200, 200, 403, 404, 200, 403, 403, 403, 401]),
        ("resolve", "found-child", json!({}), [200, 200, 403, 404, 200, 403, 403, 403, 401]),
        ("acknowledge", "found-child", json!({}), [200, 200, 200, 404, 400, 200, 403, 403, 401]),
        ("refuse", "found-child", json!({}), [200, 200, 200, 404, 400, 200, 403, 403, 401]),
        // Nobody but the own commune and province knows of what waits. Who asked cannot approve.
        (
            "approve",
            "suspect",
            json!({"revision": 1}),
            [403, 200, 404, 404, 200, 404, 403, 403, 401],
        ),
    ];
    for (action, kind, body, wanted) in rows {
        let raised = day.raise(an, &day.alert_of(kind, HERE, "23:00")?).await?;
        let alert = raised.text_at("/id");
        // Those who may not come first, so that each meets the alert as it was.
        let mut asked: Vec<_> = people.iter().zip(wanted).enumerate().collect();
        asked.sort_by_key(|(_, (_, wanted))| std::cmp::Reverse(*wanted));
        for (n, (person, wanted)) in asked {
            let answer = day.act(person, alert, action, &body).await?;
            assert_eq!(answer.status, wanted, "{action} by {n}: {}", answer.text);
        }
    }
    // An alert that there is not is no more to be found than a foreign one.
    let nothing = "01890a5d-ac96-874a-bf5c-6f2e1f0f1e2d";
    for action in ["cancel", "resolve", "acknowledge", "refuse"] {
        day.act(binh, nothing, action, &json!({})).await?.expect(404)?;
    }
    day.ends().await
}

#[tokio::test]
async fn a_neighbour_sees_its_own_deliveries_and_not_the_others() -> Result<()> {
    let (mut day, people) = afternoon().await?;
    day.groups([group("g-2", "18124"), group("g-3", "18253")]).await?;
    let [an, _, cuong, _, _, hoa, ..] = &people;
    let raised = day.raise(an, &day.alert_of("found-child", HERE, "23:00")?).await?.expect(201)?;
    for id in ["g-1", "g-2", "g-3"] {
        day.expect(posted(id, &["issued"])).await?;
    }
    let path = format!("/v1/alerts/{}/deliveries", raised.text_at("/id"));
    for (person, wanted) in [(an, vec!["g-1", "g-2", "g-3"]), (cuong, vec!["g-2"]), (hoa, vec![])] {
        let answer = day.get(person, &path).await?.expect(200)?;
        let seen = answer.at("/deliveries").as_array().cloned().unwrap_or_default();
        let mut seen: Vec<_> = seen.iter().filter_map(|d| d.get("group")?.as_str()).collect();
        seen.sort_unstable();
        assert_eq!(seen, wanted);
    }
    day.ends().await
}

#[tokio::test]
async fn a_revoked_token_is_nobodys_at_once() -> Result<()> {
    let (day, people) = afternoon().await?;
    let [an, _, _, _, _, _, _, linh, _] = &people;
    let listed = day.get(linh, "/v1/tokens").await?.expect(200)?;
    let tokens = listed.at("/tokens").as_array().cloned().unwrap_or_default();
    let of_an = tokens.iter().find(|token| token.get("officer") == Some(&json!("an")));
    let id = of_an.and_then(|token| token.get("id")?.as_str()).unwrap_or_default();
    day.get(an, "/v1/alerts").await?.expect(200)?;
    day.post(linh, &format!("/v1/tokens/{id}/revoke"), &json!({})).await?.expect(200)?;
    day.get(an, "/v1/alerts").await?.expect(401)?;
    let refused = day.raise(an, &day.alert_of("lost-child", HERE, "23:00")?).await?.expect(401)?;
    assert_eq!(refused.problem()?.code, "unauthorized");
    day.ends().await
}
