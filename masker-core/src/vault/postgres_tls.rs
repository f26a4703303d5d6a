//! Whether and how a connection to PostgreSQL is encrypted.

use std::error::Error as _;
use std::io;
use std::net::IpAddr;
use std::path::Path;
use std::sync::Arc;

use postgres::Config;
use postgres::config::{Host, SslMode};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use rustls::{ClientConfig, RootCertStore};
use tokio_postgres_rustls::MakeRustlsConnect;

use super::VaultError;
use super::postgres::failed;

/// What a URL leads to.
pub(super) struct Target {
    pub(super) config: Config,
    /// Absent where the connection is plain.
    pub(super) tls: Option<MakeRustlsConnect>,
}

/// Reads the URL. `roots` are certificates to trust, in PEM form; those that the URL names come first, those of the system last.
pub(super) fn target(url: &str, roots: Option<&[u8]>) -> Result<Target, VaultError> {
    let Parts { url, mode, root_path } = Parts::of(url)?;
    // The parser's own message may quote the URL, which may hold a password.
    let mut config: Config = url.parse().map_err(|_| malformed())?;
    let mode = match mode.as_deref() {
        None if is_local(&config) => SslMode::Disable,
        None => SslMode::Require,
        Some("disable") => SslMode::Disable,
        Some("prefer") => SslMode::Prefer,
        Some("require" | "verify-ca" | "verify-full") => SslMode::Require,
        Some(_) => return Err(failed("the sslmode of the database's URL is unknown")),
    };
    config.ssl_mode(mode);
    if mode == SslMode::Disable {
        return Ok(Target { config, tls: None });
    }
    let roots = match (root_path, roots) {
        (Some(path), _) => trusted(&read(Path::new(&path))?)?,
        (None, Some(pem)) => trusted(pem)?,
        (None, None) => of_the_system()?,
    };
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let tls = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|_| failed("this build has no usable version of TLS"))?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(Target { config, tls: Some(MakeRustlsConnect::new(tls)) })
}

/// Why the TLS of a connection failed, if it did.
pub(super) fn refusal(error: &postgres::Error) -> Option<VaultError> {
    let mut source = error.source();
    while let Some(cause) = source {
        let inner = cause.downcast_ref::<io::Error>().and_then(io::Error::get_ref);
        let tls = cause.downcast_ref().or_else(|| inner.and_then(|inner| inner.downcast_ref()));
        if let Some(tls) = tls {
            return Some(match tls {
                rustls::Error::InvalidCertificate(_) => failed(
                    "the certificate of PostgreSQL is not trusted for this host; name its root with sslrootcert",
                ),
                _ => failed("TLS with PostgreSQL failed"),
            });
        }
        source = cause.source();
    }
    // The client's own words where the server has no TLS at all.
    error.to_string().contains("TLS").then(|| {
        failed("PostgreSQL offers no TLS; sslmode=disable in its URL does without, which only a trusted network allows")
    })
}

fn malformed() -> VaultError {
    failed("the URL of the database is malformed")
}

/// A URL without the parameters that the client library does not know in full.
struct Parts {
    url: String,
    mode: Option<String>,
    root_path: Option<String>,
}

impl Parts {
    fn of(url: &str) -> Result<Self, VaultError> {
        let (mut mode, mut root_path) = (None, None);
        let Some((base, query)) = url.split_once('?').filter(|_| url.contains("://")) else {
            // The other form: words with values.
            let mut rest = Vec::new();
            for word in url.split(' ').filter(|_| !url.contains("://")) {
                match word.split_once('=') {
                    Some(("sslmode", value)) => mode = Some(value.to_owned()),
                    Some(("sslrootcert", value)) => root_path = Some(value.to_owned()),
                    _ => rest.push(word),
                }
            }
            let url = if rest.is_empty() { url.to_owned() } else { rest.join(" ") };
            return Ok(Self { url, mode, root_path });
        };
        let mut rest = Vec::new();
        for parameter in query.split('&') {
            match parameter.split_once('=') {
                Some(("sslmode", value)) => mode = Some(decoded(value)?),
                Some(("sslrootcert", value)) => root_path = Some(decoded(value)?),
                _ => rest.push(parameter),
            }
        }
        let url = if rest.is_empty() { base.to_owned() } else { format!("{base}?{}", rest.join("&")) };
        Ok(Self { url, mode, root_path })
    }
}

/// A value of a URL without its percent signs.
fn decoded(value: &str) -> Result<String, VaultError> {
    let mut bytes = Vec::with_capacity(value.len());
    let mut rest = value.as_bytes();
    while let Some((first, after)) = rest.split_first() {
        rest = after;
        if *first != b'%' {
            bytes.push(*first);
            continue;
        }
        let (digits, after) = rest.split_at_checked(2).ok_or_else(malformed)?;
        let digits = data_encoding::HEXUPPER_PERMISSIVE.decode(digits).map_err(|_| malformed())?;
        bytes.extend_from_slice(&digits);
        rest = after;
    }
    String::from_utf8(bytes).map_err(|_| malformed())
}

/// Whether every host is this machine.
fn is_local(config: &Config) -> bool {
    config.get_hosts().iter().all(|host| match host {
        Host::Tcp(name) => name == "localhost" || name.parse().is_ok_and(|ip: IpAddr| ip.is_loopback()),
        #[cfg(unix)]
        Host::Unix(_) => true,
    }) && config.get_hostaddrs().iter().all(IpAddr::is_loopback)
}

fn read(path: &Path) -> Result<Vec<u8>, VaultError> {
    std::fs::read(path).map_err(|error| VaultError::Open { path: path.to_owned(), kind: error.kind() })
}

fn trusted(pem: &[u8]) -> Result<RootCertStore, VaultError> {
    let unusable = || failed("the root certificates for PostgreSQL are not in PEM form");
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_slice_iter(pem) {
        roots.add(certificate.map_err(|_| unusable())?).map_err(|_| unusable())?;
    }
    if roots.is_empty() { Err(unusable()) } else { Ok(roots) }
}

fn of_the_system() -> Result<RootCertStore, VaultError> {
    let mut roots = RootCertStore::empty();
    // Systems hold certificates that no strict parser takes; what matters is that some are good.
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    if roots.is_empty() {
        return Err(failed(
            "this system has no root certificates; name those of PostgreSQL with sslrootcert",
        ));
    }
    Ok(roots)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mode(url: &str) -> Result<SslMode, VaultError> {
        let made = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
        let target = target(url, Some(made.cert.pem().as_bytes()))?;
        assert_eq!(target.tls.is_some(), target.config.get_ssl_mode() != SslMode::Disable);
        Ok(target.config.get_ssl_mode())
    }

    #[test]
    fn other_hosts_are_asked_for_tls_and_this_one_is_not() {
        for (url, expected) in [
            ("postgres://masker@db.example.com/masker", SslMode::Require),
            ("postgres://masker@192.0.2.7/masker", SslMode::Require),
            ("postgres://masker@localhost,db.example.com/masker", SslMode::Require),
            ("postgres://masker@localhost/masker", SslMode::Disable),
            ("postgres://masker@127.0.0.1:5432/masker?application_name=x", SslMode::Disable),
            ("postgres://masker@%2Frun%2Fpostgresql/masker", SslMode::Disable),
            ("postgres://masker@[::1]/masker", SslMode::Disable),
            ("postgres://masker@db.example.com/masker?sslmode=disable", SslMode::Disable),
            ("postgres://masker@db.example.com/masker?sslmode=prefer", SslMode::Prefer),
            ("postgres://masker@localhost/masker?connect_timeout=3&sslmode=verify-full", SslMode::Require),
            ("host=localhost user=masker sslmode=require", SslMode::Require),
            ("host=db.example.com user=masker", SslMode::Require),
        ] {
            assert_eq!(mode(url).unwrap(), expected, "{url}");
        }
    }

    #[test]
    fn what_cannot_be_meant_is_an_error_without_the_url() {
        for url in [
            "postgres://masker:hidden@db.example.com/masker?sslmode=allow",
            "postgres://masker:hidden@db.example.com/masker?sslmode=%zz",
            "postgres://masker:hid den@:::/",
        ] {
            assert!(!format!("{:?}", mode(url).unwrap_err()).contains("hid"), "{url}");
        }
        let missing = mode("postgres://masker@db.example.com/masker?sslrootcert=%2Fmissing%2Fca.pem");
        assert!(matches!(missing, Err(VaultError::Open { kind: io::ErrorKind::NotFound, .. })));
        assert!(target("postgres://masker@db.example.com/masker", Some(b"no certificate")).is_err());
    }
}
