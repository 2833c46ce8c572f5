//! Who may do what, and how a token ends.

use anyhow::{Context, Result, bail, ensure};
use jiff::{SignedDuration, Timestamp};
use serde_json::json;
use support::{Client, Keng, eventually};
use system::{
    SOON,
    people::{but, lost_child, text},
    town::{FAR, HOME, NEIGHBOUR, Town},
};

/// The id that `keng token` printed before the token.
async fn token_of(keng: &Keng, more: &[&str]) -> Result<(String, String)> {
    let arguments = ["token", "--officer", "binh", "--role", "officer", "--commune", HOME];
    let output = keng.run(&[&arguments[..], more].concat()).await?;
    ensure!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let said = String::from_utf8(output.stdout)?;
    let lines: Vec<&str> = said.lines().collect();
    let [.., id, token] = lines.as_slice() else { bail!("no id and token: {said}") };
    let id = id.rsplit(' ').next().context("no id")?;
    Ok((id.to_owned(), (*token).to_owned()))
}

#[tokio::test]
async fn a_token_ends_at_once_when_revoked_and_in_time_when_it_expires() -> Result<()> {
    let town = Town::with(&[HOME], 1).await?;
    let mut keng = town.up(&[]).await?;
    let (id, token) = token_of(&keng, &[]).await?;
    let binh = Client::new(keng.http())?.with_token(&token);
    binh.get("/v1/alerts").await?.expect(200)?;
    let mut stream = binh.stream(HOME, None).await?;

    let revoked = keng.run(&["token", "revoke", &id]).await?;
    ensure!(revoked.status.code() == Some(0), "{revoked:?}");
    let problem = binh.get("/v1/alerts").await?.expect(401)?.problem()?;
    ensure!(!problem.code.is_empty(), "{problem:?}");
    binh.raise(&lost_child("x"), "k").await?.expect(401)?;
    let an = keng.client("an", "officer", Some(HOME)).await?;
    an.raise(&lost_child("ở chợ"), "k").await?.expect(201)?;
    let told = stream.wait_for(SOON, |event| event.kind == "alert").await;
    ensure!(told.is_err(), "a revoked token is told {told:?}");

    let expires = (Timestamp::now() + SignedDuration::from_secs(2)).to_string();
    let (_, short) = token_of(&keng, &["--expires", &expires]).await?;
    let binh = Client::new(keng.http())?.with_token(&short);
    binh.get("/v1/alerts").await?.expect(200)?;
    eventually(SOON, async || binh.get("/v1/alerts").await?.expect(401)).await?;

    keng.restart().await?;
    for gone in [&token, &short] {
        let nobody = Client::new(keng.http())?.with_token(gone);
        nobody.get("/v1/alerts").await?.expect(401)?;
    }
    an.at(keng.http()).get("/v1/alerts").await?.expect(200)?;
    let list = String::from_utf8(keng.run(&["token", "list"]).await?.stdout)?;
    ensure!(
        list.contains("revoked") && list.contains("expired") && list.contains("valid"),
        "{list}"
    );
    ensure!(!list.contains(&token), "the secret is listed");

    let past = ["--expires", "2020-01-01T00:00:00Z"];
    let arguments = ["token", "--officer", "c", "--role", "officer", "--commune", HOME];
    let output = keng.run(&[&arguments[..], &past].concat()).await?;
    ensure!(output.status.code() == Some(2), "{output:?}");
    Ok(())
}

#[tokio::test]
async fn each_role_does_what_is_its_own() -> Result<()> {
    let town = Town::with(&[HOME], 1).await?;
    let keng = town.up(&[]).await?;
    let officer = keng.client("an", "officer", Some(HOME)).await?;
    let neighbour = keng.client("binh", "officer", Some(NEIGHBOUR)).await?;
    let far = keng.client("chi", "officer", Some(FAR)).await?;
    let commander = keng.client("dung", "commander", Some(HOME)).await?;
    let province = keng.client("em", "province", Some("68")).await?;
    let auditor = keng.client("giang", "auditor", None).await?;
    let admin = keng.client("hoa", "admin", None).await?;
    let nobody = Client::new(keng.http())?;

    let raising = [
        ("officer", &officer, 201),
        ("commander", &commander, 201),
        ("province", &province, 201),
        ("neighbour", &neighbour, 403),
        ("far", &far, 403),
        ("auditor", &auditor, 403),
        ("admin", &admin, 403),
        ("nobody", &nobody, 401),
    ];
    for (who, client, status) in raising {
        client.raise(&lost_child(who), &format!("k-{who}")).await?.expect(status).context(who)?;
    }
    let elsewhere = but(
        lost_child("xa"),
        &json!({"commune": FAR, "last_seen": {
        "at": Timestamp::now().to_string(), "lat": 21.03, "lon": 105.83, "place": "Ba Đình"}}),
    );
    province.raise(&elsewhere, "k-far").await?.expect(403)?;

    let id = officer.raise(&lost_child("nữa"), "k-1").await?.expect(201)?;
    let id = id.text_at("/id");
    let alert = format!("/v1/alerts/{id}");
    let reading = [
        ("officer", &officer, alert.as_str(), 200),
        ("neighbour", &neighbour, &alert, 200),
        ("far", &far, &alert, 404),
        ("admin", &admin, &alert, 403),
        ("auditor", &auditor, "/v1/audit/records", 200),
        ("officer", &officer, "/v1/audit/records", 403),
        ("admin", &admin, "/v1/audit/records", 403),
        ("admin", &admin, "/v1/tokens", 200),
        ("officer", &officer, "/v1/tokens", 403),
        ("auditor", &auditor, "/v1/tokens", 403),
        ("nobody", &nobody, "/v1/tokens", 401),
    ];
    for (who, client, path, status) in reading {
        client.get(path).await?.expect(status).with_context(|| format!("{who} at {path}"))?;
    }
    neighbour.act(id, "cancel", &json!({"note": "không"}), "k-2").await?.expect(403)?;
    far.act(id, "cancel", &json!({"note": "không"}), "k-2").await?.expect(404)?;
    let seen = neighbour.act(id, "acknowledge", &json!({}), "k-3").await?.expect(200)?;
    let communes = seen.at("/communes").as_array().cloned().unwrap_or_default();
    let answer = communes.iter().find(|one| text(one, "/code") == NEIGHBOUR);
    ensure!(answer.is_some_and(|one| text(one, "/answer") == "acknowledged"), "{}", seen.text);
    Ok(())
}

#[tokio::test]
async fn a_suspect_waits_for_another_person_of_rank() -> Result<()> {
    let town = Town::with(&[HOME], 1).await?;
    let keng = town.up(&[]).await?;
    let asks = keng.client("dung", "commander", Some(HOME)).await?;
    let same = keng.client("dung", "province", Some("68")).await?;
    let officer = keng.client("an", "officer", Some(HOME)).await?;
    let other = keng.client("em", "commander", Some(HOME)).await?;
    let suspect = but(
        lost_child("trộm"),
        &json!({"kind": "suspect", "person": null, "legal_basis": "BLTTHS-119"}),
    );
    let waits = asks.raise(&suspect, "k").await?.expect(202)?;
    ensure!(waits.text_at("/state") == "awaiting-approval", "{}", waits.text);
    let (id, revision) = (waits.text_at("/id"), json!({"revision": waits.at("/revision")}));
    for (n, client) in [&asks, &same].into_iter().enumerate() {
        let key = format!("a-{n}");
        let problem = client.act(id, "approve", &revision, &key).await?.expect(403)?.problem()?;
        ensure!(problem.code == "same-person", "{problem:?}");
    }
    officer.act(id, "approve", &revision, "a").await?.expect(403)?;
    ensure!(town.sink.calls().is_empty(), "nobody is told before it is approved");
    let approved = other.act(id, "approve", &revision, "a").await?.expect(200)?;
    ensure!(approved.text_at("/state") == "active", "{}", approved.text);
    town.told(id, "alert.issued", SOON).await
}
