//! Selects the proxy: `--proxy`, or the variables that curl supports.

use std::ffi::OsString;

use http::Uri;
use hyper_util::client::proxy::matcher::Matcher;
use oss_delete_vectors::transports::Proxy;

use super::error::ConfigError;
use super::setting::variable;

pub(super) const OPTION: &str = "--proxy";

/// The proxy for requests to `uri`. `option` is a URL, `none`, or, as in ossutil, `env`.
pub(super) fn find(
    option: Option<&str>,
    environment: &dyn Fn(&str) -> Option<OsString>,
    uri: &Uri,
) -> Result<Option<Proxy>, ConfigError> {
    match option {
        None | Some("env") => {}
        Some("none") => return Ok(None),
        Some(url) => return parse(url, OPTION).map(Some),
    }
    // In a CGI program, a request header could set HTTP_PROXY.
    let is_cgi = environment("REQUEST_METHOD").is_some();
    let names: &[&'static str] = match uri.scheme_str() {
        Some("http") if is_cgi => &["http_proxy", "all_proxy", "ALL_PROXY"],
        Some("http") => &["http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"],
        _ => &["https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"],
    };
    let first = |names: &[&'static str]| {
        for &name in names {
            if let Some(value) = variable(environment, name)? {
                return Ok(Some((name, value)));
            }
        }
        Ok::<_, ConfigError>(None)
    };
    let Some((name, url)) = first(names)? else { return Ok(None) };
    let exceptions = first(&["no_proxy", "NO_PROXY"])?.map_or(String::new(), |(_, hosts)| hosts);
    // Used only for the exceptions, because it supports fewer kinds of proxies.
    let matcher = Matcher::builder().all("http://proxy").no(exceptions).build();
    match matcher.intercept(uri) {
        Some(_) => parse(&url, name).map(Some),
        None => Ok(None),
    }
}

fn parse(url: &str, origin: &str) -> Result<Proxy, ConfigError> {
    Proxy::parse(url)
        .map_err(|invalid| ConfigError::Invalid { origin: Some(origin.to_owned()), invalid })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The proxy for `uri` with these variables, or the error.
    fn found(option: Option<&str>, variables: &str, uri: &str) -> String {
        let environment = |name: &str| {
            let mut set = variables.split(' ').filter_map(|variable| variable.split_once('='));
            set.find(|(set, _)| *set == name).map(|(_, value)| value.into())
        };
        match find(option, &environment, &uri.parse().unwrap()) {
            Ok(proxy) => proxy.map_or("none".to_owned(), |proxy| proxy.to_string()),
            Err(error) => error.to_string(),
        }
    }

    #[test]
    fn variables_work_as_in_curl() {
        let (https, http) = ("https://b-1.oss.example.com/", "http://b-1.oss.example.com/");
        for (variables, uri, expected) in [
            ("", https, "none"),
            ("HTTPS_PROXY=a:1", https, "http://a:1"),
            ("HTTPS_PROXY=a:1", http, "none"),
            ("HTTP_PROXY=a:1", http, "http://a:1"),
            ("HTTP_PROXY=a:1", https, "none"),
            ("HTTP_PROXY=a:1 REQUEST_METHOD=GET", http, "none"),
            ("http_proxy=a:1 REQUEST_METHOD=GET", http, "http://a:1"),
            ("HTTPS_PROXY=a:1 https_proxy=b:2", https, "http://b:2"),
            ("HTTPS_PROXY= ALL_PROXY=socks5://c:3", https, "socks5://c:3"),
            ("ALL_PROXY=c:3 all_proxy=d:4", http, "http://d:4"),
            ("HTTPS_PROXY=a:1 ALL_PROXY=c:3", https, "http://a:1"),
            (
                "HTTPS_PROXY=user:hidden@a:0",
                https,
                "HTTPS_PROXY: must be [http|https|socks5|socks5h://][user:password@]host[:port]",
            ),
        ] {
            assert_eq!(found(None, variables, uri), expected, "{variables} {uri}");
        }
        for (option, expected) in [
            ("none", "none"),
            ("env", "http://a:1"),
            ("https://user:hidden@p", "https://p:443"),
            (
                "ftp://p",
                "--proxy: must be [http|https|socks5|socks5h://][user:password@]host[:port]",
            ),
        ] {
            assert_eq!(found(Some(option), "HTTPS_PROXY=a:1", https), expected, "{option}");
        }
    }

    #[test]
    fn every_form_of_no_proxy_works() {
        let host = "https://b-1.oss.example.com/";
        for (hosts, uri, is_direct) in [
            ("*", host, true),
            ("example.com", host, true),
            (".example.com", host, true),
            ("b-1.oss.example.com", host, true),
            ("B-1.OSS.Example.COM", host, true),
            ("other,example.com", host, true),
            ("le.com", host, false),
            ("oss.example", host, false),
            ("example.com", "https://example.com/", true),
            ("127.0.0.1", "http://127.0.0.1:9000/", true),
            ("127.0.0.0/8", "http://127.0.0.1:9000/", true),
            ("10.0.0.0/8", "http://127.0.0.1:9000/", false),
            ("::1", "http://[::1]:9000/", true),
            ("localhost", "http://localhost:9000/", true),
        ] {
            for name in ["NO_PROXY", "no_proxy"] {
                let variables = format!("ALL_PROXY=a:1 {name}={hosts}");
                let expected = if is_direct { "none" } else { "http://a:1" };
                assert_eq!(found(None, &variables, uri), expected, "{hosts} {uri}");
                assert_eq!(found(Some("p:2"), &variables, uri), "http://p:2", "{hosts} {uri}");
            }
        }
    }
}
