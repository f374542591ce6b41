//! What kubeadm proves before a machine joins: that the cluster's authority is the one that the token came with, and
//! that the API server takes the token.

use std::time::Duration;

use anyhow::{Context, Result, anyhow, bail};
use k8s_openapi::api::authentication::v1::SelfSubjectReview;
use kube::{Api, Client, Config, api::PostParams};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use tokio::time::timeout;

use super::cluster::Access;
use crate::agent::{cloud_controller::brief, network::inside};

const DEADLINE: Duration = Duration::from_secs(10);

/// Proves `token` (`discovery.bootstrapToken` of a JoinConfiguration) from the network namespace `netns`.
///
/// # Errors
/// A hash that is another authority's, a token that is refused.
pub fn prove(donor: &Access, token: &Value, netns: &str) -> Result<()> {
    let authority = donor.authority()?;
    let key = public_key(&authority).context("certificate authority: no certificate")?;
    let hash = format!("sha256:{}", hex::encode(Sha256::digest(key)));
    let pinned = token["caCertHashes"].as_array();
    if !pinned.is_some_and(|hashes| hashes.iter().any(|h| h == hash.as_str())) {
        bail!("caCertHashes do not hold {hash}, the hash of the cluster's authority");
    }
    let endpoint = token["apiServerEndpoint"].as_str().unwrap_or_default();
    let mut config = Config::new(format!("https://{endpoint}").parse()?);
    config.proxy_url = None;
    config.root_cert = Some(vec![authority.to_vec()]);
    config.auth_info = serde_json::from_value(json!({ "token": token["token"] }))
        .context("bootstrapToken: token")?;
    let user = inside(netns, || {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()?;
        runtime.block_on(async {
            let ask = async {
                let reviews: Api<SelfSubjectReview> = Api::all(Client::try_from(config)?);
                let answer = reviews
                    .create(&PostParams::default(), &SelfSubjectReview::default())
                    .await?;
                let user = answer
                    .status
                    .and_then(|s| s.user_info)
                    .and_then(|u| u.username);
                anyhow::Ok(user.unwrap_or_default())
            };
            timeout(DEADLINE, ask)
                .await
                .map_err(|_| anyhow!("no answer from {endpoint}"))?
        })
    })
    .map_err(brief)?;
    if !user.starts_with("system:bootstrap:") {
        bail!("the token is {user}'s, not a bootstrap token");
    }
    Ok(())
}

/// SubjectPublicKeyInfo of an X.509 certificate in DER: the seventh field of its first one, behind the version.
fn public_key(certificate: &[u8]) -> Option<&[u8]> {
    let (outer, _) = value(certificate)?;
    let (mut fields, _) = value(outer)?;
    if fields.first() == Some(&0xa0) {
        fields = &fields[element(fields)?.len()..];
    }
    // Serial number, signature algorithm, issuer, validity, subject.
    for _ in 0..5 {
        fields = &fields[element(fields)?.len()..];
    }
    element(fields)
}

/// The first element with its tag and length.
fn element(der: &[u8]) -> Option<&[u8]> {
    let (value, header) = value(der)?;
    der.get(..header + value.len())
}

/// Value of the first element, and the length of what precedes it.
fn value(der: &[u8]) -> Option<(&[u8], usize)> {
    let first = usize::from(*der.get(1)?);
    let (length, header) = if first < 0x80 {
        (first, 2)
    } else {
        let bytes = der.get(2..2 + (first & 0x7f))?;
        (
            bytes
                .iter()
                .fold(0, |sum, byte| sum << 8 | usize::from(*byte)),
            2 + bytes.len(),
        )
    };
    Some((der.get(header..header.checked_add(length)?)?, header))
}

#[cfg(test)]
mod tests {
    use super::*;
    use rcgen::{CertificateParams, KeyPair, PublicKeyData};

    #[test]
    fn the_public_key_is_found_in_a_certificate() {
        let key = KeyPair::generate().unwrap();
        let certificate = CertificateParams::new(vec!["a".to_owned()])
            .unwrap()
            .self_signed(&key)
            .unwrap();
        assert_eq!(
            public_key(certificate.der()).unwrap(),
            key.subject_public_key_info()
        );
        assert_eq!(public_key(b"nothing"), None);
    }
}
