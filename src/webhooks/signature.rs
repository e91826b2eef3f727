//! Signatures by the Standard Webhooks specification 1.0.0, with which a receiver knows that a message is from the
//! gateway: HMAC-SHA256 of the message's id, its time and its body.

use std::fmt;

use base64::{Engine as _, prelude::BASE64_STANDARD};
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;
use uuid::Uuid;

/// What callers see before the key, so that everybody recognises a leaked one.
const PREFIX: &str = "whsec_";

/// The key of an endpoint's signatures.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret([u8; 32]);

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret")
    }
}

impl Secret {
    /// A new random key of 244 bits.
    pub fn random() -> Self {
        let mut bytes = [0; 32];
        for (half, part) in bytes
            .chunks_exact_mut(16)
            .zip([(); 2].map(|()| Uuid::new_v4()))
        {
            half.copy_from_slice(part.as_bytes());
        }
        Self(bytes)
    }

    /// The key that has been stored; `None` if it has another length.
    pub fn stored(bytes: &[u8]) -> Option<Self> {
        bytes.try_into().map(Self).ok()
    }

    /// The bytes to store.
    pub fn bytes(&self) -> &[u8] {
        &self.0
    }

    /// The key as its owner gets it.
    pub fn reveal(&self) -> String {
        format!("{PREFIX}{}", BASE64_STANDARD.encode(self.0))
    }

    /// The signature of a message. `timestamp`: seconds since 1970.
    pub(super) fn sign(&self, id: &str, timestamp: u64, body: &[u8]) -> String {
        signature(&self.0, id, timestamp, body)
    }
}

fn signature(key: &[u8], id: &str, timestamp: u64, body: &[u8]) -> String {
    let signed = [format!("{id}.{timestamp}.").as_bytes(), body].concat();
    // An error would mean that the key has a wrong length, but every length is valid.
    let mac = Hmac::<Sha256>::new_from_slice(key).map(|mac| mac.chain_update(signed));
    let digest = mac.map(|mac| mac.finalize().into_bytes());
    format!("v1,{}", BASE64_STANDARD.encode(digest.unwrap_or_default()))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The example of the specification's reference libraries.
    #[test]
    fn the_signature_is_that_of_the_specification() {
        let key = BASE64_STANDARD
            .decode("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
            .unwrap();
        let body = b"{\"test\": 2432232314}";
        let signed = signature(&key, "msg_p5jXN8AQM9LWM0D4loKWxJek", 1_614_265_330, body);
        assert_eq!(signed, "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
    }

    #[test]
    fn a_secret_is_shown_to_its_owner_only() {
        let secret = Secret::random();
        assert_ne!(secret, Secret::random());
        assert_eq!(Secret::stored(secret.bytes()), Some(secret.clone()));
        assert_eq!(secret.reveal().len(), "whsec_".len() + 44);
        assert_eq!(format!("{secret:?}"), "Secret");
        assert_eq!(Secret::stored(&[1; 31]), None);
    }
}
