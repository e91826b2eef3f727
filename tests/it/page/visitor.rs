//! A visitor of the page without a browser: fills in and sends the forms that the page contains.

use std::net::SocketAddr;

use fineract_gateway::tls::http_client;
use reqwest::{Client, StatusCode, header, redirect::Policy};

/// A browser, as far as these tests need one: it keeps a cookie, and follows no redirect.
pub(super) struct Visitor {
    address: SocketAddr,
    pub(super) client: Client,
    pub(super) cookie: String,
}

/// What the gateway answered.
pub(super) struct Page {
    pub(super) status: StatusCode,
    pub(super) location: String,
    pub(super) text: String,
    pub(super) headers: header::HeaderMap,
}

impl Visitor {
    pub(super) fn new(address: SocketAddr) -> Self {
        let client = http_client().redirect(Policy::none()).build().unwrap();
        Self {
            address,
            client,
            cookie: String::new(),
        }
    }

    pub(super) async fn send(&mut self, request: reqwest::RequestBuilder) -> Page {
        let answer = request
            .header(header::COOKIE, &self.cookie)
            .send()
            .await
            .unwrap();
        let headers = answer.headers().clone();
        if let Some(cookie) = headers.get(header::SET_COOKIE) {
            let cookie = cookie.to_str().unwrap();
            assert!(
                cookie.ends_with("; Path=/; HttpOnly; SameSite=Strict"),
                "{cookie}"
            );
            let secret = cookie.split(';').next().unwrap();
            secret.clone_into(&mut self.cookie);
        }
        let location = headers
            .get(header::LOCATION)
            .map_or("", |value| value.to_str().unwrap());
        Page {
            status: answer.status(),
            location: location.to_owned(),
            headers: headers.clone(),
            text: answer.text().await.unwrap(),
        }
    }

    pub(super) async fn get(&mut self, path: &str) -> Page {
        let url = format!("http://{}{path}", self.address);
        let request = self.client.get(url);
        self.send(request).await
    }

    pub(super) async fn post(&mut self, path: &str, fields: &[(&str, &str)]) -> Page {
        let url = format!("http://{}{path}", self.address);
        let body = serde_html_form::to_string(fields).unwrap();
        let request = self
            .client
            .post(url)
            .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded")
            .body(body);
        self.send(request).await
    }

    /// The token in the forms of this page.
    pub(super) async fn token(&mut self, path: &str) -> String {
        let text = self.get(path).await.text;
        let (_, after) = text.split_once(r#"name="token" value=""#).expect("a form");
        after.split('"').next().unwrap().to_owned()
    }

    pub(super) async fn sign_in(&mut self, name: &str, secret: &str) -> Page {
        let token = self.token("/ops/sign-in").await;
        let fields = [
            ("token", token.as_str()),
            ("name", name),
            ("secret", secret),
        ];
        self.post("/ops/sign-in", &fields).await
    }

    /// The form of this page whose address ends so.
    pub(super) async fn form(&mut self, path: &str, action: &str) -> Form {
        let text = self.get(path).await.text;
        Form::of(&text, action)
    }

    /// Sends a form as it is, with further fields.
    pub(super) async fn submit(&mut self, form: &Form, fields: &[(&str, &str)]) -> Page {
        let hidden = form.hidden.iter();
        let hidden = hidden.map(|(name, value)| (name.as_str(), value.as_str()));
        let fields: Vec<_> = hidden.chain(fields.iter().copied()).collect();
        self.post(&form.action, &fields).await
    }
}

/// A form of a page: its address, and its hidden fields.
#[derive(Debug)]
pub(super) struct Form {
    action: String,
    hidden: Vec<(String, String)>,
    pub(super) text: String,
}

impl Form {
    /// The form of a page whose address ends so.
    pub(super) fn of(page: &str, action: &str) -> Self {
        let mut forms = page.split("<form ").skip(1);
        let found = forms.find_map(|form| {
            let address = attribute(form, "action").filter(|found| found.ends_with(action))?;
            Some((address.to_owned(), form.split("</form>").next()?.to_owned()))
        });
        let (action, text) = found.expect("the page has this form");
        let inputs = text.split("<input ").skip(1);
        let hidden = inputs.filter(|input| input.starts_with("type=\"hidden\""));
        let hidden = hidden.map(|input| {
            let [name, value] = ["name", "value"].map(|name| attribute(input, name).unwrap());
            (name.to_owned(), value.to_owned())
        });
        Self {
            hidden: hidden.collect(),
            action,
            text,
        }
    }

    /// The value of a hidden field.
    pub(super) fn value(&self, name: &str) -> &str {
        let field = self.hidden.iter().find(|(found, _)| found == name);
        &field.expect("the form has this field").1
    }
}

fn attribute<'a>(tag: &'a str, name: &str) -> Option<&'a str> {
    let (_, after) = tag.split_once(&format!("{name}=\""))?;
    after.split('"').next()
}
