//! Is anybody there? Small questions to servers of the lab.

use std::{
    io::{Read, Write},
    net::{SocketAddr, TcpStream},
    time::Duration,
};

use anyhow::{Context, Result, bail};

const PATIENCE: Duration = Duration::from_secs(3);

/// Does something accept connections on this port of 127.0.0.1?
pub fn tcp(port: u16) -> Result<()> {
    connect(port).map(|_| ())
}

/// The body of a 200 to `GET path` without TLS.
///
/// # Errors
/// Nobody there, or another status, with the beginning of what was said.
pub fn http(port: u16, path: &str) -> Result<String> {
    let mut stream = connect(port)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    write!(
        stream,
        "GET {path} HTTP/1.0\r\nHost: 127.0.0.1:{port}\r\n\r\n"
    )?;
    let mut answer = String::new();
    stream
        .read_to_string(&mut answer)
        .with_context(|| format!("http://127.0.0.1:{port}{path}"))?;
    let (head, body) = answer
        .split_once("\r\n\r\n")
        .unwrap_or((answer.as_str(), ""));
    let status = head.split(' ').nth(1).unwrap_or_default();
    if status != "200" {
        let said: String = body.chars().take(300).collect();
        bail!(
            "http://127.0.0.1:{port}{path} answers {status}: {}",
            said.trim()
        );
    }
    Ok(body.to_owned())
}

fn connect(port: u16) -> Result<TcpStream> {
    let address = SocketAddr::from(([127, 0, 0, 1], port));
    TcpStream::connect_timeout(&address, PATIENCE)
        .with_context(|| format!("nothing listens on {address}"))
}
