//! Both transports through proxies: the requests to a proxy, and the errors.

use std::io::{Read, Write, copy};
use std::net::{Ipv4Addr, Shutdown, TcpListener, TcpStream};
use std::time::Duration;

use oss_delete_vectors::credentials::Direct;
use oss_delete_vectors::transports::{Proxy, TransportOptions};

use crate::carrier::{Carrier, request};
use crate::certificates::Authority;
use crate::peer::{NO_CONTENT, Peer, read_request, respond_to_all};

fn options(url: &str) -> TransportOptions {
    TransportOptions::new().proxy(Proxy::parse(url).unwrap())
}

/// An HTTP proxy that responds instead of the host, or forwards to this port.
fn connect_proxy(expected: &'static [&'static str], forward: Option<u16>) -> Peer {
    Peer::start(move |mut stream| {
        let Some(connect) = read_request(&mut stream) else { return };
        let connect = String::from_utf8(connect).unwrap().to_lowercase();
        if !expected.iter().all(|part| connect.contains(part)) {
            let _ = stream.write_all(b"HTTP/1.1 407 Proxy Authentication Required\r\n\r\n");
            return;
        }
        stream.write_all(b"HTTP/1.1 200 Connected\r\n\r\n").unwrap();
        match forward {
            None => respond_to_all(&mut stream, NO_CONTENT),
            Some(port) => forward_to(port, stream),
        }
    })
}

fn forward_to(port: u16, mut client: TcpStream) {
    let mut server = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).unwrap();
    let (mut from, mut to) = (client.try_clone().unwrap(), server.try_clone().unwrap());
    let up = std::thread::spawn(move || {
        let _ = copy(&mut from, &mut to);
        let _ = to.shutdown(Shutdown::Write);
    });
    let _ = copy(&mut server, &mut client);
    let _ = client.shutdown(Shutdown::Both);
    up.join().unwrap();
}

#[test]
fn a_tunnel_carries_requests_and_resolves_the_host() {
    let proxy = connect_proxy(&["connect b-1.vectors.invalid:80 http/1.1\r\n"], None);
    for carrier in Carrier::each(&options(&proxy.url())) {
        let before = proxy.connections();
        for _ in 0..8 {
            let response = carrier.send(request("http://b-1.vectors.invalid")).unwrap();
            assert_eq!(response.status(), 204, "{}", carrier.name());
        }
        // hyper's pool may get a connection back shortly after the next request needs one.
        let made = proxy.connections() - before;
        assert!((1..8).contains(&made), "{}: {made}", carrier.name());
    }
}

#[test]
fn tls_goes_through_a_tunnel_to_the_host() {
    let authority = Authority::new();
    let server = authority.serve("b-1.vectors.test");
    let proxy = connect_proxy(&["connect b-1.vectors.test:443 http/1.1\r\n"], Some(server.port()));
    let options = options(&proxy.url()).extra_roots(authority.pem().as_bytes()).unwrap();
    for carrier in Carrier::each(&options) {
        let response = carrier.send(request("https://b-1.vectors.test")).unwrap();
        assert_eq!(response.status(), 204, "{}", carrier.name());
    }
}

#[test]
fn user_and_password_are_sent_only_to_the_proxy() {
    // "user name:p@ss:word" in base64.
    let proxy =
        connect_proxy(&["\r\nproxy-authorization: basic dxnlcibuyw1lonbac3m6d29yza==\r\n"], None);
    let place = proxy.url().replace("http://", "");
    for carrier in Carrier::each(&options(&format!("user%20name:p%40ss:word@{place}"))) {
        let response = carrier.send(request("http://b-1.vectors.invalid:81"));
        assert_eq!(response.unwrap().status(), 204, "{}", carrier.name());
    }
}

#[test]
fn rejections_by_a_proxy_are_surely_not_sent() {
    let proxy = connect_proxy(&["proxy-authorization: never"], None);
    let place = proxy.url().replace("http://", "");
    for url in [proxy.url(), format!("http://user:hidden@{place}")] {
        for carrier in Carrier::each(&options(&url)) {
            let error = carrier.send(request("http://b-1.vectors.invalid")).unwrap_err();
            let text = error.to_string();
            assert!(error.is_surely_not_sent() && text.contains("407"), "{text}");
            let options = format!("b-1.vectors.invalid:80 through the proxy http://{place}: ");
            assert!(text.contains(&options) && !text.contains("hidden"), "{text}");
        }
    }
}

#[test]
fn an_unreachable_proxy_is_surely_not_sent() {
    let unused = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap();
    for scheme in ["http", "socks5"] {
        for carrier in Carrier::each(&options(&format!("{scheme}://user:hidden@{unused}"))) {
            let error = carrier.send(request("http://b-1.vectors.invalid")).unwrap_err();
            let text = error.to_string();
            let is_clear = text.contains("refused") || text.ends_with("cannot be reached");
            assert!(error.is_surely_not_sent() && is_clear, "{text}");
            let options = format!(
                "no connection to b-1.vectors.invalid:80 through the proxy {scheme}://{unused}: "
            );
            assert!(text.contains(&options) && !text.contains("hidden"), "{text}");
        }
    }
}

fn read<const N: usize>(stream: &mut TcpStream) -> [u8; N] {
    let mut bytes = [0; N];
    stream.read_exact(&mut bytes).unwrap();
    bytes
}

/// An address in SOCKS 5: its type, its bytes and a port.
fn address(kind: u8, bytes: &[u8], port: u8) -> Vec<u8> {
    [&[kind], bytes, &[0, port]].concat()
}

const NAME: &str = "b-1.vectors.invalid";

fn name() -> Vec<u8> {
    address(3, &[&[NAME.len() as u8], NAME.as_bytes()].concat(), 80)
}

/// A SOCKS proxy that responds instead of the host at `address`, and reports `bound` as its own
/// address. Requires the user and password, if any.
fn socks_proxy(
    user: Option<(&'static str, &'static str)>,
    address: Vec<u8>,
    bound: Vec<u8>,
) -> Peer {
    Peer::start(move |mut stream| {
        let [5, methods] = read(&mut stream) else { panic!("not SOCKS 5") };
        let mut offered = vec![0; methods.into()];
        stream.read_exact(&mut offered).unwrap();
        let method = if user.is_some() { 2 } else { 0 };
        if !offered.contains(&method) {
            let _ = stream.write_all(&[5, 0xff]);
            return;
        }
        stream.write_all(&[5, method]).unwrap();
        if let Some((user, password)) = user {
            let expected = [
                &[1, user.len() as u8],
                user.as_bytes(),
                &[password.len() as u8],
                password.as_bytes(),
            ];
            let mut given = vec![0; expected.concat().len()];
            stream.read_exact(&mut given).unwrap();
            let is_right = given == expected.concat();
            stream.write_all(&[1, u8::from(!is_right)]).unwrap();
            if !is_right {
                return;
            }
        }
        let mut asked = vec![0; 3 + address.len()];
        stream.read_exact(&mut asked).unwrap();
        assert_eq!((&asked[..3], &asked[3..]), (&[5, 1, 0][..], &address[..]));
        stream.write_all(&[&[5, 0, 0], &bound[..]].concat()).unwrap();
        respond_to_all(&mut stream, NO_CONTENT);
    })
}

#[test]
fn a_socks_proxy_resolves_the_host() {
    let nowhere = || address(1, &[0; 4], 0);
    let open = socks_proxy(None, name(), nowhere());
    let closed = socks_proxy(Some(("user", "hidden")), name(), nowhere());
    let [open, closed] = [&open, &closed].map(|proxy| proxy.url().replace("http://", ""));
    for url in [
        format!("socks5://{open}"),
        format!("SOCKS5H://{open}/"),
        format!("socks5://user:hidden@{closed}"),
    ] {
        for carrier in Carrier::each(&options(&url)) {
            let response = carrier.send(request("http://b-1.vectors.invalid"));
            assert_eq!(response.unwrap().status(), 204, "{} {url}", carrier.name());
        }
    }
    for url in [format!("socks5://{closed}"), format!("socks5://user:secret@{closed}")] {
        for carrier in Carrier::each(&options(&url)) {
            let error = carrier.send(request("http://b-1.vectors.invalid")).unwrap_err();
            let text = error.to_string();
            assert!(error.is_surely_not_sent() && !text.contains("secret"), "{text}");
        }
    }
}

#[test]
fn a_socks_proxy_gets_ip_addresses() {
    let v6: std::net::Ipv6Addr = "2001:db8::1".parse().unwrap();
    let v6 = |port| address(4, &v6.octets(), port);
    for (host, asked, bound) in [
        ("http://[2001:db8::1]", v6(80), v6(99)),
        ("http://[2001:db8::1]:81", v6(81), address(1, &[0; 4], 0)),
        ("http://192.0.2.7:81", address(1, &[192, 0, 2, 7], 81), v6(99)),
        ("http://b-1.vectors.invalid", name(), v6(99)),
    ] {
        for user in [None, Some(("user", "hidden"))] {
            let proxy = socks_proxy(user, asked.clone(), bound.clone());
            let place =
                proxy.url().replace("http://", if user.is_some() { "user:hidden@" } else { "" });
            for carrier in Carrier::each(&options(&format!("socks5://{place}"))) {
                let response = carrier.send(request(host));
                assert_eq!(response.unwrap().status(), 204, "{} {host}", carrier.name());
            }
            assert_eq!(proxy.connections(), 2);
        }
    }
}

#[test]
fn requests_to_local_services_bypass_the_proxy() {
    let proxy = connect_proxy(&[], None);
    let host = Peer::start(|mut stream| respond_to_all(&mut stream, NO_CONTENT));
    for carrier in Carrier::each(&options(&proxy.url())) {
        let mut request = request(&host.url());
        request.extensions_mut().insert(Direct { timeout: Duration::from_secs(60) });
        assert_eq!(carrier.send(request).unwrap().status(), 204, "{}", carrier.name());
    }
    assert_eq!((proxy.connections(), host.connections()), (0, 2));
}

#[test]
fn an_invalid_proxy_is_rejected_without_its_password() {
    for url in [
        "",
        "http://",
        "http://:80",
        "http://host:",
        "http://host:0",
        "http://host:99999",
        "http://host/path",
        "socks4://host",
        "ftp://user:hidden@proxy.example.com",
        "http://user:hidden@",
        "http://user:hid%zzden@host",
        "http://user:hid%0dden@host",
        "http://user:hidden%@host",
        "user:hidden@proxy example com",
    ] {
        let invalid = Proxy::parse(url).unwrap_err();
        let rule = "proxy must be [http|https|socks5|socks5h://][user:password@]host[:port]";
        assert_eq!((invalid.to_string().as_str(), invalid.value()), (rule, None), "{url}");
    }
    for (url, shown) in [
        ("localhost", "http://localhost:80"),
        ("user:hidden@127.0.0.1:8080", "http://127.0.0.1:8080"),
        ("https://proxy.example.com/", "https://proxy.example.com:443"),
        ("http://[::1]:8080", "http://[::1]:8080"),
        ("http://[::1]", "http://[::1]:80"),
        ("http://us%40er:hid@den@host_name", "http://host_name:80"),
        ("socks5://proxy.example.com", "socks5://proxy.example.com:1080"),
    ] {
        let proxy = Proxy::parse(url).unwrap();
        assert_eq!(proxy.to_string(), shown);
        let options = TransportOptions::new().proxy(proxy);
        for carrier in Carrier::each(&options) {
            let text = match &carrier {
                Carrier::Hyper(transport, _) => format!("{transport:?} {options:?}"),
                Carrier::Ureq(transport) => format!("{transport:?}"),
            };
            assert!(text.contains(shown) && !text.contains("hid"), "{text}");
        }
    }
}
