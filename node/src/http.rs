//! The pages for machines and people that do not speak gRPC (`http.tsv`).
//!
//! Not here: the JSON gateway.

use std::sync::Arc;

use bytes::Bytes;
use http::header::{
    ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS, ACCESS_CONTROL_ALLOW_ORIGIN, ALLOW,
    CONTENT_TYPE,
};
use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode};
use http_body_util::Full;
use quorate_core::api::Failure;
use quorate_core::api::etcdserverpb::RangeRequest;
use tonic::body::Body;

use crate::peer::link::Peers;
use crate::serve::metrics;
use crate::serve::replica::Replica;
use crate::serve::version;

const TEXT: HeaderValue = HeaderValue::from_static("text/plain; charset=utf-8");
const JSON: HeaderValue = HeaderValue::from_static("application/json");
const METRICS: HeaderValue =
    HeaderValue::from_static("text/plain; version=0.0.4; charset=utf-8; escaping=underscores");
/// What there is where nothing is.
pub const NOT_FOUND: &str = "404 page not found\n";

/// The pages of one member.
pub struct Pages {
    /// Whose pages.
    pub replica: Arc<Replica>,
    /// Whom it talks to, for the metrics.
    pub peers: Arc<Peers>,
}

/// One of the things a member can be asked about its health.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Check {
    /// No alarm says that the data is damaged. There are no alarms yet.
    DataCorruption,
    SerializableRead,
    LinearizableRead,
    /// There are no learners yet.
    NonLearner,
}

const LIVE: [Check; 1] = [Check::SerializableRead];
const READY: [Check; 4] =
    [Check::DataCorruption, Check::SerializableRead, Check::LinearizableRead, Check::NonLearner];

impl Check {
    const fn name(self) -> &'static str {
        match self {
            Self::DataCorruption => "data_corruption",
            Self::SerializableRead => "serializable_read",
            Self::LinearizableRead => "linearizable_read",
            Self::NonLearner => "non_learner",
        }
    }
}

impl Pages {
    /// Answers one request.
    pub async fn answer<B>(&self, request: &Request<B>) -> Response<Body> {
        let (method, path) = (request.method(), request.uri().path());
        let query = request.uri().query().unwrap_or_default();
        if method == Method::OPTIONS {
            return with_type(StatusCode::OK, TEXT, String::new());
        }
        let mut response = match path {
            "/metrics" => {
                with_type(StatusCode::OK, METRICS, metrics::page(&self.replica, &self.peers))
            }
            "/version" | "/health" if method != Method::GET => not_allowed(),
            "/version" => with_type(StatusCode::OK, JSON, version::json()),
            "/health" => self.health(query).await,
            _ => self.checks(method, path, query).await,
        };
        if method == Method::HEAD {
            *response.body_mut() = Body::empty();
        }
        response
    }

    async fn health(&self, query: &str) -> Response<Body> {
        let serializable = values(query, "serializable").any(|value| value == "true");
        let trouble = self.trouble(serializable).await;
        let Some(reason) = trouble else {
            self.replica.metrics.health_good.add(1);
            return text(StatusCode::OK, "{\"health\":\"true\",\"reason\":\"\"}");
        };
        self.replica.metrics.health_bad.add(1);
        let answer = serde_json::json!({ "health": "false", "reason": reason });
        with_type(StatusCode::SERVICE_UNAVAILABLE, TEXT, format!("{answer}\n"))
    }

    async fn trouble(&self, serializable: bool) -> Option<String> {
        if !serializable && self.replica.vitals.view().leader.is_none() {
            return Some("RAFT NO LEADER".to_owned());
        }
        let read = self.read(serializable).await;
        read.err().map(|failure| format!("RANGE ERROR:{failure}"))
    }

    /// `/livez`, `/readyz` and each of their checks alone.
    async fn checks(&self, method: &Method, path: &str, query: &str) -> Response<Body> {
        let Some((checks, alone)) = checks_of(path) else {
            return text(StatusCode::NOT_FOUND, NOT_FOUND);
        };
        if method != Method::GET {
            return not_allowed();
        }
        let (mut lines, mut good) = (String::new(), true);
        for check in checks {
            if !alone && values(query, "exclude").any(|name| name == check.name()) {
                continue;
            }
            match self.check(check).await {
                Ok(()) => lines.push_str(&format!("[+]{} ok\n", check.name())),
                Err(failure) => {
                    good = false;
                    lines.push_str(&format!("[-]{} failed: {failure}\n", check.name()));
                }
            }
        }
        if !good {
            return with_type(StatusCode::SERVICE_UNAVAILABLE, TEXT, format!("{lines}\n"));
        }
        let verbose = values(query, "verbose").next().is_some();
        with_type(StatusCode::OK, TEXT, if verbose { lines + "ok\n" } else { "ok\n".to_owned() })
    }

    async fn check(&self, check: Check) -> Result<(), Failure> {
        match check {
            Check::DataCorruption | Check::NonLearner => Ok(()),
            Check::SerializableRead => self.read(true).await,
            Check::LinearizableRead => self.read(false).await,
        }
    }

    /// The smallest read there is.
    async fn read(&self, serializable: bool) -> Result<(), Failure> {
        let key = Bytes::from_static(b"health");
        let request = RangeRequest { key, serializable, limit: 1, ..RangeRequest::default() };
        self.replica.range(&request).await.map(drop)
    }
}

/// The checks behind a path, and whether it names a single one.
fn checks_of(path: &str) -> Option<(Vec<Check>, bool)> {
    let of = |all: &[Check], rest: &str| match rest.strip_prefix('/') {
        None => rest.is_empty().then(|| (all.to_vec(), false)),
        Some(name) => {
            let check = all.iter().find(|check| check.name() == name)?;
            Some((vec![*check], true))
        }
    };
    match (path.strip_prefix("/livez"), path.strip_prefix("/readyz")) {
        (Some(rest), _) => of(&LIVE, rest),
        (_, Some(rest)) => of(&READY, rest),
        (None, None) => None,
    }
}

/// The values of one query parameter. None of ours needs decoding.
fn values<'a>(query: &'a str, name: &'a str) -> impl Iterator<Item = &'a str> {
    query.split('&').filter_map(move |pair| {
        let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
        (key == name && !pair.is_empty()).then_some(value)
    })
}

/// A short plain answer.
pub fn text(status: StatusCode, body: &'static str) -> Response<Body> {
    with_type(status, TEXT, body)
}

fn not_allowed() -> Response<Body> {
    let mut response = text(StatusCode::METHOD_NOT_ALLOWED, "Method Not Allowed\n");
    response.headers_mut().insert(ALLOW, HeaderValue::from_static("GET"));
    response
}

fn with_type(status: StatusCode, kind: HeaderValue, body: impl Into<Bytes>) -> Response<Body> {
    let mut response = Response::new(Body::new(Full::new(body.into())));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, kind);
    allow_browsers(response.headers_mut());
    response
}

/// etcd lets every page be read by scripts of every other (its flag `cors` is `*`).
fn allow_browsers(headers: &mut HeaderMap) {
    let methods = HeaderValue::from_static("POST, GET, OPTIONS, PUT, DELETE");
    headers.insert(ACCESS_CONTROL_ALLOW_METHODS, methods);
    headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*"));
    let allowed = HeaderValue::from_static("accept, content-type, authorization");
    headers.insert(ACCESS_CONTROL_ALLOW_HEADERS, allowed);
}
