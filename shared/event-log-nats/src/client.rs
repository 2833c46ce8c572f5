//! The connection: kept for ever, watched by its events.

use std::time::Duration;

use async_nats::{Client, ConnectOptions, Event, ServerAddr};

use crate::{
    options::{NatsOptions, OpenError},
    state::State,
};

/// A dead connection is found after three of these at the latest.
const PING_INTERVAL: Duration = Duration::from_secs(5);
/// The longest wait for any answer of the broker's interface.
const REQUEST_MAX: Duration = Duration::from_secs(5);
const RECONNECT_DELAY_MAX: Duration = Duration::from_secs(2);

/// A client that connects in the background, and again, for ever. Returns at once.
pub(crate) async fn connect(options: &NatsOptions, state: State) -> Result<Client, OpenError> {
    let addresses = options
        .url
        .split(',')
        .map(|url| url.trim().parse::<ServerAddr>())
        .collect::<Result<Vec<_>, _>>()
        // The address may hold a password, so it is not repeated.
        .map_err(|error| OpenError::Address(error.to_string()))?;
    // async-nats 0.51 does not take user and password from the address by itself.
    let login = addresses.iter().find_map(|address| {
        Some((address.username()?.to_owned(), address.password().unwrap_or_default().to_owned()))
    });
    let connect = match login {
        Some((user, password)) => ConnectOptions::new().user_and_password(user, password),
        None => ConnectOptions::new(),
    };
    connect
        .name(format!("keng {}", options.service))
        .ping_interval(PING_INTERVAL)
        .connection_timeout(Duration::from_secs(2))
        .request_timeout(Some(REQUEST_MAX))
        .retry_on_initial_connect()
        .max_reconnects(None)
        .reconnect_delay_callback(|attempts| {
            let doubled = 10u64.saturating_mul(1 << attempts.min(8));
            Duration::from_millis(doubled).min(RECONNECT_DELAY_MAX)
        })
        .event_callback(move |event| {
            let state = state.clone();
            async move { met(&state, &event) }
        })
        .connect(addresses)
        .await
        .map_err(|error| OpenError::Client(error.to_string()))
}

fn met(state: &State, event: &Event) {
    match event {
        Event::Connected => {
            state.connected();
            tracing::info!("connected to the broker");
        }
        Event::Disconnected | Event::Closed => {
            state.disconnected();
            tracing::warn!(%event, "no connection to the broker");
        }
        Event::SlowConsumer(_) => {
            metrics::counter!("keng_nats_slow_consumer_total").increment(1);
            tracing::warn!(%event, "messages of the broker were dropped");
        }
        Event::ServerError(_) | Event::ClientError(_) => tracing::warn!(%event, "broker"),
        Event::LameDuckMode | Event::Draining => tracing::info!(%event, "broker"),
    }
}
