//! Pages for anyone: in both languages at once, the same whoever asks, so that they may be kept on
//! the way.

use std::sync::Arc;

use axum::{
    extract::{FromRef, FromRequestParts},
    http::{HeaderValue, header, request::Parts},
    response::{IntoResponse, Response},
};
use qrcode::{Color, EcLevel, QrCode, render::svg};

use crate::{Console, assets, texts::Texts};

/// Pictures of codes never change.
const FOR_EVER: HeaderValue = HeaderValue::from_static("public, max-age=86400");
/// So large a code is drawn, in CSS pixels.
const QR_PIXELS: u32 = 240;

/// What a page for anyone is made of.
pub struct Open {
    texts: Arc<Texts>,
    /// Whether this is a demo, which sends exercises only.
    pub is_demo: bool,
}

impl Open {
    /// What a key says, in Vietnamese.
    #[must_use]
    pub fn vi(&self, key: &str) -> String {
        self.texts.say(0, key, &[])
    }

    /// The same in English.
    #[must_use]
    pub fn en(&self, key: &str) -> String {
        self.texts.say(self.texts.place_of("en").unwrap_or_default(), key, &[])
    }

    /// A style or a picture of ours, by its name.
    #[must_use]
    pub fn asset(&self, name: &str) -> String {
        assets::path_of(name)
    }
}

impl<S> FromRequestParts<S> for Open
where
    S: Send + Sync,
    Console: FromRef<S>,
{
    type Rejection = std::convert::Infallible;

    async fn from_request_parts(_: &mut Parts, state: &S) -> Result<Self, Self::Rejection> {
        let console = Console::from_ref(state);
        let is_demo = console.host.kind == chassis::Kind::Demo;
        Ok(Self { texts: console.texts, is_demo })
    }
}

/// A QR code as a picture; `None` where the text is too long for one.
#[must_use]
pub fn qr(text: &str) -> Option<Response> {
    let code = QrCode::with_error_correction_level(text, EcLevel::M).ok()?;
    let drawn = code.render::<svg::Color>().min_dimensions(QR_PIXELS, QR_PIXELS).build();
    let media_type = HeaderValue::from_static("image/svg+xml");
    let headers = [(header::CONTENT_TYPE, media_type), (header::CACHE_CONTROL, FOR_EVER)];
    Some((headers, drawn).into_response())
}

/// A QR code that stands in a page: what may not have an address of its own.
pub(crate) struct Drawn {
    /// How many modules wide and high.
    pub(crate) width: usize,
    /// The dark modules, as the path of a picture.
    pub(crate) path: String,
}

/// A QR code for a page; `None` where the text is too long for one.
pub(crate) fn drawn_in_page(text: &str) -> Option<Drawn> {
    let code = QrCode::with_error_correction_level(text, EcLevel::M).ok()?;
    let width = code.width();
    let modules = code.into_colors().into_iter().enumerate();
    let dark = modules.filter(|(_, color)| *color == Color::Dark);
    let path = dark.map(|(at, _)| format!("M{} {}h1v1h-1z", at % width, at / width)).collect();
    Some(Drawn { width, path })
}
