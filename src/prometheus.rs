//! Asks a Prometheus, or what speaks like one, for the value of a query now.

use axum::body::{Body, to_bytes};
use http::{Request, Response, header};
use kube::{Client, Config};
use serde::Deserialize;
use std::time::Duration;
use tokio::time::timeout;

/// How long an answer may take, connecting included.
const DEADLINE: Duration = Duration::from_secs(10);
/// Largest answer that is read, in bytes.
const LARGEST: usize = 1024 * 1024;
/// Longest text of theirs that is told, in characters.
const LONGEST: usize = 200;

/// The values that an instant query gives at `url`.
///
/// # Errors
/// With a clause on why there are none.
pub async fn ask(url: &str, query: &str) -> Result<Vec<f64>, String> {
    let asked = timeout(DEADLINE, asked(url, query)).await;
    asked.unwrap_or_else(|_| Err(format!("nothing within {} s", DEADLINE.as_secs())))
}

async fn asked(url: &str, query: &str) -> Result<Vec<f64>, String> {
    let base = url.parse::<http::Uri>().map_err(|error| error.to_string())?;
    let mut config = Config::new(base);
    (config.connect_timeout, config.read_timeout) = (Some(DEADLINE), Some(DEADLINE));
    config.default_retry = false;
    let client = Client::try_from(config).map_err(|error| innermost(&error))?;
    let form = form_urlencoded::Serializer::new(String::new()).append_pair("query", query).finish();
    let request = Request::post("/api/v1/query")
        .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded")
        .header(header::ACCEPT, "application/json")
        .body(form.into_bytes().into())
        .map_err(|error| error.to_string())?;
    let response: Response<_> = client.send(request).await.map_err(|error| innermost(&error))?;
    let status = response.status();
    let body = to_bytes(Body::new(response.into_body()), LARGEST).await.map_err(|error| innermost(&error))?;
    match read(&body) {
        Ok(values) if status.is_success() => Ok(values),
        Err(Unread::Told(why)) => Err(why),
        _ if !status.is_success() => Err(format!("it answers {status}")),
        _ => Err("its answer is not one of a Prometheus".to_owned()),
    }
}

/// The innermost cause says what a person can act upon.
fn innermost(error: &dyn std::error::Error) -> String {
    let mut cause = error;
    while let Some(source) = cause.source() {
        cause = source;
    }
    bounded(&cause.to_string())
}

fn bounded(text: &str) -> String {
    let line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    match line.char_indices().nth(LONGEST) {
        Some((end, _)) => format!("{}…", &line[..end]),
        None => line,
    }
}

/// Why an answer has no values.
enum Unread {
    /// It says so itself.
    Told(String),
    /// It is not understood.
    Strange,
}

#[derive(Deserialize)]
struct Answer {
    #[serde(default)]
    data: Option<Data>,
    #[serde(default)]
    error: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "lowercase", tag = "resultType", content = "result")]
enum Data {
    Vector(Vec<Sample>),
    Scalar((f64, String)),
    Matrix(serde::de::IgnoredAny),
    String(serde::de::IgnoredAny),
}

#[derive(Deserialize)]
struct Sample {
    value: (f64, String),
}

fn read(body: &[u8]) -> Result<Vec<f64>, Unread> {
    let answer: Answer = serde_json::from_slice(body).map_err(|_| Unread::Strange)?;
    if let Some(error) = answer.error {
        return Err(Unread::Told(bounded(&error)));
    }
    let values = match answer.data.ok_or(Unread::Strange)? {
        Data::Vector(samples) => samples.into_iter().map(|sample| sample.value.1).collect(),
        Data::Scalar((_, value)) => vec![value],
        Data::Matrix(_) | Data::String(_) => {
            return Err(Unread::Told("it gives ranges or text, and is to give numbers".to_owned()));
        }
    };
    values.iter().map(|value: &String| value.parse().map_err(|_| Unread::Strange)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::Router;
    use axum::http::StatusCode;
    use axum::routing::post;
    use rstest::rstest;
    use tokio::net::TcpListener;

    /// A server that answers every query so, below a path.
    async fn serve(status: u16, answer: String) -> String {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/prometheus", listener.local_addr().unwrap());
        let reply = move |body: String| async move {
            assert_eq!(body, "query=up%7Bbuild%3D%22a%22%7D");
            (StatusCode::from_u16(status).unwrap(), answer)
        };
        let app = Router::new().route("/prometheus/api/v1/query", post(reply));
        tokio::spawn(async move { axum::serve(listener, app).await });
        url
    }

    async fn answer(status: u16, answer: impl Into<String>) -> Result<Vec<f64>, String> {
        ask(&serve(status, answer.into()).await, "up{build=\"a\"}").await
    }

    #[rstest]
    #[case::vector(r#"{"status":"success","data":{"resultType":"vector","result":[{"metric":{},"value":[1.5,"0.5"]},{"metric":{},"value":[1,"+Inf"]}]}}"#, &[0.5, f64::INFINITY])]
    #[case::scalar(r#"{"status":"success","data":{"resultType":"scalar","result":[1,"3"]}}"#, &[3.0])]
    #[case::nothing(r#"{"status":"success","data":{"resultType":"vector","result":[]}}"#, &[])]
    #[tokio::test]
    async fn values(#[case] body: &str, #[case] expected: &[f64]) {
        assert_eq!(answer(200, body).await.as_deref(), Ok(expected));
    }

    #[rstest]
    #[case::refused(400, r#"{"status":"error","errorType":"bad_data","error":"1:3: parse error"}"#, "1:3: parse error")]
    #[case::range(200, r#"{"status":"success","data":{"resultType":"matrix","result":[]}}"#, "it gives ranges or text")]
    #[case::proxy(503, "no backend", "it answers 503")]
    #[case::stranger(200, "<html>", "its answer is not one of a Prometheus")]
    #[case::not_a_number(
        200,
        r#"{"status":"success","data":{"resultType":"scalar","result":[1,"x"]}}"#,
        "its answer is not"
    )]
    #[tokio::test]
    async fn reasons(#[case] status: u16, #[case] body: &str, #[case] expected: &str) {
        let why = answer(status, body).await.unwrap_err();
        assert!(why.starts_with(expected), "{why}");
    }

    #[tokio::test]
    async fn an_answer_without_end_is_not_read() {
        let why = answer(200, " ".repeat(LARGEST + 1)).await.unwrap_err();
        assert!(why.contains("limit"), "{why}");
    }

    #[tokio::test]
    async fn not_a_number_is_a_value() {
        let body = r#"{"status":"success","data":{"resultType":"scalar","result":[1,"NaN"]}}"#;
        assert!(matches!(answer(200, body).await.as_deref(), Ok([value]) if value.is_nan()));
    }

    #[tokio::test]
    async fn nobody_listens() {
        let free = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
        let why = ask(&format!("http://{free}"), "up").await.unwrap_err();
        assert!(why.contains("refused"), "{why}");
    }
}
