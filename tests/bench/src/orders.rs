//! The child's side: it measures floors when it is told to, one line an order, one line an answer.
//!
//! An order is a JSON object on standard input, an answer one on standard output: `{"us":[…]}`.

use std::{io::Write, time::Duration};

use anyhow::{Context, Result, bail};
use bytes::Bytes;
use serde_json::{Value, json};
use tokio::sync::mpsc;

use crate::{batches::Batches, floors::Floors};

/// Obeys until standard input ends.
///
/// # Errors
/// An order cannot be obeyed: no figure is better than a wrong one.
pub async fn obey(mut floors: Floors) -> Result<()> {
    let mut orders = orders();
    let mut batches = None;
    while let Some(order) = orders.recv().await {
        let order: Value = serde_json::from_str(&order)?;
        let number = |name: &str| order.get(name).and_then(Value::as_u64);
        let text = |name: &str| order.get(name).and_then(Value::as_str).unwrap_or_default();
        let took: Vec<Duration> = match text("do") {
            "aim" => {
                let body = Bytes::from(text("body").to_owned());
                floors.aim(text("base").to_owned(), body);
                vec![]
            }
            "append" => vec![floors.append().await?],
            "posts" => {
                let count = usize::try_from(number("count").context("count")?)?;
                let in_flight = usize::try_from(number("in_flight").context("in_flight")?)?;
                vec![floors.posts(count, in_flight).await?]
            }
            "broker" => {
                batches = Some(Batches::open(text("url")).await?);
                vec![]
            }
            "batches" => {
                let sizes: Vec<Vec<usize>> =
                    serde_json::from_value(order.get("sizes").cloned().unwrap_or_default())?;
                vec![batches.as_mut().context("no broker")?.publish(&sizes).await?]
            }
            other => bail!("no order: {other:?}"),
        };
        let us: Vec<u128> = took.iter().map(Duration::as_micros).collect();
        answer(&json!({ "us": us }))?;
    }
    Ok(())
}

/// The lines of standard input, until it ends.
pub fn orders() -> mpsc::UnboundedReceiver<String> {
    let (sender, orders) = mpsc::unbounded_channel();
    // Blocks for as long as nobody orders anything; it ends with standard input.
    std::thread::spawn(move || {
        for order in std::io::stdin().lines().map_while(Result::ok) {
            if sender.send(order).is_err() {
                return;
            }
        }
    });
    orders
}

/// One line to whoever started this process.
///
/// # Errors
/// Nobody reads it.
pub fn answer(value: &Value) -> Result<()> {
    let mut out = std::io::stdout().lock();
    writeln!(out, "{value}")?;
    Ok(out.flush()?)
}
