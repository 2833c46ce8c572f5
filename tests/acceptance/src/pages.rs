//! People at a browser: they sign in, read pages and press buttons. A form is sent with what it
//! had, as a browser without scripts does.

use anyhow::{Context, Result, ensure};
use axum::{
    body::Body,
    http::{Method, Request, header},
};
use support::Answer;

use crate::{Person, Timeline};

/// Between the fields of a form with pictures.
const BOUNDARY: &str = "----keng-acceptance";
/// As askama escapes them.
const ENTITIES: [(&str, &str); 5] =
    [("&#60;", "<"), ("&#62;", ">"), ("&#34;", "\""), ("&#39;", "'"), ("&#38;", "&")];

/// The browser of somebody who has signed in.
#[derive(Debug, Clone)]
pub struct Browser {
    cookie: String,
}

/// The fields of a form: what it has, and what somebody fills in.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Filled {
    /// Where it is sent to.
    pub action: String,
    fields: Vec<(String, String)>,
}

impl Timeline {
    /// Signs in by a token.
    ///
    /// # Errors
    /// The token is not good.
    pub async fn sign_in(&self, person: &Person) -> Result<Browser> {
        let nobody = Browser { cookie: String::new() };
        let fields = [("token", person.token.as_str()), ("next", "/")];
        let form = Filled::new("/sign-in", &fields);
        let answer = self.submit(&nobody, &form).await?.expect(303)?;
        let cookie = answer.headers.get(header::SET_COOKIE).context("no cookie")?.to_str()?;
        Ok(Browser { cookie: cookie.split(';').next().unwrap_or_default().to_owned() })
    }

    /// A page.
    ///
    /// # Errors
    /// There was no answer.
    pub async fn page(&self, browser: &Browser, path: &str) -> Result<Answer> {
        self.send(browser.ask(path)?).await
    }

    /// Sends a form, and follows where it leads.
    ///
    /// # Errors
    /// There was no answer.
    pub async fn press(&self, browser: &Browser, form: &Filled) -> Result<(String, Answer)> {
        let answer = self.submit(browser, form).await?;
        if answer.status != 303 {
            return Ok((form.action.clone(), answer));
        }
        let path = location(&answer)?;
        let page = self.page(browser, &path).await?;
        Ok((path, page))
    }

    /// Sends a form.
    ///
    /// # Errors
    /// There was no answer.
    pub async fn submit(&self, browser: &Browser, form: &Filled) -> Result<Answer> {
        let pairs: Vec<String> = form
            .fields
            .iter()
            .map(|(name, value)| format!("{}={}", escaped(name), escaped(value)))
            .collect();
        let request = browser
            .request(Method::POST, &form.action)
            .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded");
        self.send(request.body(pairs.join("&").into())?).await
    }

    /// Sends a form that may have pictures.
    ///
    /// # Errors
    /// There was no answer.
    pub async fn submit_parts(&self, browser: &Browser, form: &Filled) -> Result<Answer> {
        self.send(browser.parts(form, None)?).await
    }
}

impl Browser {
    fn request(&self, method: Method, path: &str) -> axum::http::request::Builder {
        Request::builder()
            .method(method)
            .uri(path)
            .header(header::COOKIE, &self.cookie)
            .header("sec-fetch-site", "same-origin")
    }

    /// Asks for a page.
    ///
    /// # Errors
    /// The request cannot be made.
    pub fn ask(&self, path: &str) -> Result<Request<Body>> {
        Ok(self.request(Method::GET, path).body(Body::empty())?)
    }

    /// A form as it is sent where it may have a picture.
    ///
    /// # Errors
    /// The request cannot be made.
    pub fn parts(&self, form: &Filled, picture: Option<&[u8]>) -> Result<Request<Body>> {
        let mut body = vec![];
        let texts = form.fields.iter().map(|(name, value)| (name.as_str(), "", value.as_bytes()));
        let picture = picture.map(|bytes| ("photo", "; filename=\"a.png\"", bytes));
        for (name, more, bytes) in texts.chain(picture) {
            let head = format!("Content-Disposition: form-data; name=\"{name}\"{more}");
            body.extend(format!("--{BOUNDARY}\r\n{head}\r\n\r\n").bytes());
            body.extend(bytes);
            body.extend(b"\r\n");
        }
        body.extend(format!("--{BOUNDARY}--\r\n").bytes());
        let request = self
            .request(Method::POST, &form.action)
            .header(header::CONTENT_LENGTH, body.len())
            .header(header::CONTENT_TYPE, format!("multipart/form-data; boundary={BOUNDARY}"));
        Ok(request.body(body.into())?)
    }

    /// The same browser, led here by a page of somebody else.
    ///
    /// # Errors
    /// The request cannot be made.
    pub fn led_from_elsewhere(&self, form: &Filled) -> Result<Request<Body>> {
        let request = Request::builder()
            .method(Method::POST)
            .uri(&form.action)
            .header(header::COOKIE, &self.cookie)
            .header("sec-fetch-site", "cross-site")
            .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded");
        Ok(request.body(Body::empty())?)
    }
}

impl Filled {
    /// A form that somebody made up.
    #[must_use]
    pub fn new(action: &str, fields: &[(&str, &str)]) -> Self {
        let fields = fields.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        Self { action: action.to_owned(), fields: fields.collect() }
    }

    /// The form of a page that is sent to this path: its inputs, areas and choices as they stand.
    ///
    /// # Errors
    /// The page has no such form.
    pub fn on(page: &str, action: &str) -> Result<Self> {
        let forms = page.split("<form").skip(1).filter_map(|form| form.split("</form>").next());
        let leads = |tag: &str| {
            attribute(tag, "action").as_deref() == Some(action)
                || tag.contains(&format!("formaction=\"{action}\""))
        };
        let mut forms = forms.filter(|form| leads(form));
        let form = forms.next().with_context(|| format!("no form for {action}: {page}"))?;
        let mut fields = vec![];
        for tag in form.split('<') {
            let Some(name) = attribute(tag, "name") else { continue };
            let value = if tag.starts_with("input") {
                let is_box = tag.contains("type=\"checkbox\"") || tag.contains("type=\"radio\"");
                let is_sent = !is_box || tag.contains(" checked");
                is_sent.then(|| attribute(tag, "value").unwrap_or_default())
            } else if tag.starts_with("textarea") {
                tag.split_once('>').map(|(_, text)| plain(text))
            } else if tag.starts_with("select") {
                chosen(form, &name)
            } else {
                None
            };
            fields.extend(value.map(|value| (name, value)));
        }
        Ok(Self { action: action.to_owned(), fields })
    }

    /// What a field says.
    #[must_use]
    pub fn says(&self, name: &str) -> Option<&str> {
        self.fields.iter().find(|(of, _)| of == name).map(|(_, value)| value.as_str())
    }

    /// With another value in a field, which the form may lack.
    #[must_use]
    pub fn with(mut self, name: &str, value: &str) -> Self {
        self.fields.retain(|(of, _)| of != name);
        self.fields.push((name.to_owned(), value.to_owned()));
        self
    }
}

/// What a choice stands at: what is chosen, or the first.
fn chosen(form: &str, name: &str) -> Option<String> {
    let select = form.split("<select").find(|it| attribute(it, "name").as_deref() == Some(name))?;
    let options: Vec<&str> = select.split("</select>").next()?.split("<option").skip(1).collect();
    let option = options.iter().find(|it| it.contains(" selected")).or(options.first())?;
    attribute(option, "value")
}

/// Where an answer leads.
///
/// # Errors
/// It leads nowhere.
pub fn location(answer: &Answer) -> Result<String> {
    let location = answer.headers.get(header::LOCATION);
    let path = location.with_context(|| format!("{}: {}", answer.status, answer.text))?.to_str()?;
    ensure!(path.starts_with('/'), "{path}");
    Ok(path.split('#').next().unwrap_or_default().to_owned())
}

/// An attribute of the tag that a text begins with.
fn attribute(tag: &str, name: &str) -> Option<String> {
    let tag = tag.split('>').next()?;
    let (_, rest) = tag.split_once(&format!(" {name}=\""))?;
    Some(plain(rest.split('"').next()?))
}

/// A text without entities.
#[must_use]
pub fn plain(escaped: &str) -> String {
    let text = escaped.to_owned();
    ENTITIES.iter().fold(text, |text, (entity, letter)| text.replace(entity, letter))
}

fn escaped(text: &str) -> String {
    let escaped = |byte: u8| match byte {
        b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_' | b'.' => {
            char::from(byte).to_string()
        }
        _ => format!("%{byte:02X}"),
    };
    text.bytes().map(escaped).collect()
}
