//! The URLs in flags: where to listen, and what to tell others.
//!
//! Only what a member can make true is let through, and a refusal says what would be right.
//!
//! Not here: unix sockets and TLS. Their schemes are named in the refusal.

use std::fmt;
use std::net::{IpAddr, SocketAddr, ToSocketAddrs};
use std::str::FromStr;

/// `http://host:port`, checked. Prints as it was written.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Url {
    text: String,
    host: String,
    port: u16,
}

impl FromStr for Url {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let text = text.trim();
        let Some((scheme, rest)) = text.split_once("://") else {
            return Err(format!("\"{text}\" is no URL: write http://host:port"));
        };
        match scheme {
            "http" => {}
            "https" => return Err(format!("\"{text}\": TLS is not supported yet; use http://")),
            "unix" | "unixs" => {
                return Err(format!("\"{text}\": unix sockets are not supported; use http://"));
            }
            other => return Err(format!("\"{text}\": unknown scheme {other}; use http://")),
        }
        let Some((host, port)) = rest.rsplit_once(':') else {
            return Err(format!("\"{text}\" has no port: write http://{rest}:2379, for example"));
        };
        let port = port
            .parse()
            .map_err(|_| format!("\"{text}\": \"{port}\" is no port; nothing may follow it"))?;
        let host = host.trim_start_matches('[').trim_end_matches(']');
        if host.is_empty() {
            return Err(format!("\"{text}\" has no host: write http://0.0.0.0:{port} for all"));
        }
        Ok(Self { text: text.to_owned(), host: host.to_owned(), port })
    }
}

impl Url {
    /// The address to listen on. A name other than localhost could resolve to somebody else.
    pub fn listen_address(&self) -> Result<SocketAddr, String> {
        if self.host != "localhost" && self.host.parse::<IpAddr>().is_err() {
            return Err(format!("\"{self}\": listen on an IP address or localhost, not on a name"));
        }
        let found = self.resolve();
        // As etcd does: where localhost is both, the older protocol is what clients try.
        let v4 = found.iter().find(|address| address.is_ipv4());
        v4.or(found.first())
            .copied()
            .ok_or_else(|| format!("\"{self}\": the host does not resolve"))
    }

    /// Host and port, as the resolver wants them.
    pub fn address(&self) -> (&str, u16) {
        (&self.host, self.port)
    }

    /// All addresses behind it, sorted; none if the name is unknown.
    pub fn resolve(&self) -> Vec<SocketAddr> {
        let found = self.address().to_socket_addrs();
        let mut found: Vec<SocketAddr> = found.map(Iterator::collect).unwrap_or_default();
        found.sort_unstable();
        found.dedup();
        found
    }
}

/// Whether two lists name the same places, if need be after asking the resolver (BO-2).
pub fn same_places(a: &[Url], b: &[Url]) -> bool {
    let sorted = |urls: &[Url]| {
        let mut texts: Vec<String> = urls.iter().map(Url::to_string).collect();
        texts.sort_unstable();
        texts
    };
    let resolved = |urls: &[Url]| {
        let mut found: Vec<SocketAddr> = urls.iter().flat_map(Url::resolve).collect();
        found.sort_unstable();
        found
    };
    let (left, right) = (sorted(a), sorted(b));
    left == right || (a.len() == b.len() && !resolved(a).is_empty() && resolved(a) == resolved(b))
}

impl fmt::Display for Url {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refused_url_says_what_would_be_right() {
        for (text, part) in [
            ("localhost:2379", "http://host:port"),
            ("https://10.0.0.1:2379", "TLS is not supported yet"),
            ("unix:///tmp/x", "unix sockets"),
            ("ftp://h:1", "unknown scheme"),
            ("http://localhost", "no port"),
            ("http://localhost:2379/v3", "nothing may follow"),
            ("http://:2379", "no host"),
        ] {
            let refusal = text.parse::<Url>().unwrap_err();
            assert!(refusal.contains(part), "{text}: {refusal}");
        }
    }

    #[test]
    fn listening_takes_an_address_or_localhost() {
        let url: Url = "http://[::1]:23".parse().unwrap();
        assert_eq!(url.listen_address(), Ok("[::1]:23".parse().unwrap()));
        let url: Url = "http://localhost:24".parse().unwrap();
        assert_eq!(url.listen_address(), Ok("127.0.0.1:24".parse().unwrap()));
        let url: Url = "http://example.com:24".parse().unwrap();
        assert!(url.listen_address().unwrap_err().contains("not on a name"));
    }
}
