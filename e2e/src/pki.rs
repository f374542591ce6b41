//! Private certificate authorities and what they sign. Everything is written once and then kept.

use std::{
    fs,
    net::IpAddr,
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
};

use anyhow::{Context, Result};
use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose, SanType,
};

/// A certificate authority: `<dir>/<name>.crt` and `<dir>/<name>.key`.
pub struct Authority {
    dir: PathBuf,
    issuer: Issuer<'static, KeyPair>,
    /// Its certificate.
    pub certificate: PathBuf,
}

/// What a certificate is for.
pub enum Usage<'a> {
    /// A server under these addresses and names.
    Server(&'a [&'a str]),
    /// A client in these groups (O=).
    Client(&'a [&'a str]),
}

/// Files of a certificate and its key.
pub struct Pair {
    /// PEM.
    pub certificate: PathBuf,
    /// PEM, PKCS #8, readable by the owner alone.
    pub key: PathBuf,
}

impl Authority {
    /// The authority kept in `dir`, or a new one.
    pub fn open(dir: &Path, name: &str) -> Result<Self> {
        fs::create_dir_all(dir).with_context(|| format!("create {}", dir.display()))?;
        let files = pair(dir, name);
        let mut params = CertificateParams::default();
        params
            .distinguished_name
            .push(DnType::CommonName, format!("capstan lab {name}"));
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![
            KeyUsagePurpose::KeyCertSign,
            KeyUsagePurpose::CrlSign,
            KeyUsagePurpose::DigitalSignature,
        ];
        let key = match fs::read_to_string(&files.key) {
            Ok(pem) if files.certificate.exists() => {
                KeyPair::from_pem(&pem).with_context(|| files.key.display().to_string())?
            }
            _ => {
                let key = KeyPair::generate()?;
                write_private(&files.key, &key.serialize_pem())?;
                write(&files.certificate, &params.self_signed(&key)?.pem())?;
                key
            }
        };
        Ok(Self {
            dir: dir.to_owned(),
            issuer: Issuer::new(params, key),
            certificate: files.certificate,
        })
    }

    /// A certificate `<dir>/<name>.crt` for the common name `cn`, or the one kept there.
    pub fn sign(&self, name: &str, cn: &str, usage: &Usage<'_>) -> Result<Pair> {
        let files = pair(&self.dir, name);
        if files.certificate.exists() && files.key.exists() {
            return Ok(files);
        }
        let mut params = CertificateParams::default();
        params.distinguished_name.push(DnType::CommonName, cn);
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        match usage {
            Usage::Server(names) => {
                params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
                params.subject_alt_names = names
                    .iter()
                    .map(|n| alternative(n))
                    .collect::<Result<_>>()?;
            }
            Usage::Client(groups) => {
                params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
                for group in *groups {
                    params
                        .distinguished_name
                        .push(DnType::OrganizationName, *group);
                }
            }
        }
        let key = KeyPair::generate()?;
        let certificate = params
            .signed_by(&key, &self.issuer)
            .with_context(|| format!("certificate {name}"))?;
        write_private(&files.key, &key.serialize_pem())?;
        write(&files.certificate, &certificate.pem())?;
        Ok(files)
    }
}

/// A key pair without a certificate, as for ServiceAccount tokens: `<dir>/<name>.key` and `<dir>/<name>.pub`.
pub fn keys(dir: &Path, name: &str) -> Result<(PathBuf, PathBuf)> {
    let (private, public) = (
        dir.join(format!("{name}.key")),
        dir.join(format!("{name}.pub")),
    );
    if !private.exists() || !public.exists() {
        let key = KeyPair::generate()?;
        write_private(&private, &key.serialize_pem())?;
        write(&public, &key.public_key_pem())?;
    }
    Ok((private, public))
}

/// Writes a file that only its owner can read.
pub fn write_private(path: &Path, text: &str) -> Result<()> {
    use std::io::Write;
    let mut options = fs::OpenOptions::new();
    options.write(true).create(true).truncate(true).mode(0o600);
    options
        .open(path)
        .and_then(|mut f| f.write_all(text.as_bytes()))
        .with_context(|| format!("write {}", path.display()))
}

fn write(path: &Path, text: &str) -> Result<()> {
    fs::write(path, text).with_context(|| format!("write {}", path.display()))
}

fn pair(dir: &Path, name: &str) -> Pair {
    Pair {
        certificate: dir.join(format!("{name}.crt")),
        key: dir.join(format!("{name}.key")),
    }
}

fn alternative(name: &str) -> Result<SanType> {
    Ok(match name.parse::<IpAddr>() {
        Ok(ip) => SanType::IpAddress(ip),
        Err(_) => SanType::DnsName(
            name.try_into()
                .with_context(|| format!("{name}: no DNS name"))?,
        ),
    })
}
