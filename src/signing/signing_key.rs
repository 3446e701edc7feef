use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use zeroize::Zeroizing;

use super::string_to_sign::SCOPE_END;

/// A secret narrowed to one day, one region and the product: the keyed HMAC state, ready to sign. Wiped on drop.
#[derive(Clone)]
pub(super) struct SigningKey(Hmac<Sha256>);

impl SigningKey {
    /// Derives the key for the day `YYYYMMDD`.
    pub(super) fn derive(access_key_secret: &str, day: &str, region: &str) -> Self {
        let mut secret = Zeroizing::new(String::with_capacity("aliyun_v4".len() + access_key_secret.len()));
        secret.push_str("aliyun_v4");
        secret.push_str(access_key_secret);
        let steps = [day, region].into_iter().chain(SCOPE_END);
        Self(steps.fold(keyed(secret.as_bytes()), |mut state, step| {
            state.update(step.as_bytes());
            let key: Zeroizing<[u8; 32]> = Zeroizing::new(state.finalize().into_bytes().into());
            keyed(key.as_slice())
        }))
    }

    pub(super) fn sign(&self, string_to_sign: &[u8]) -> [u8; 32] {
        let mut mac = self.0.clone();
        mac.update(string_to_sign);
        mac.finalize().into_bytes().into()
    }

    /// Whether `signature` is that of `string_to_sign`, compared in constant time.
    pub(super) fn verify(&self, string_to_sign: &[u8], signature: &[u8; 32]) -> bool {
        let mut mac = self.0.clone();
        mac.update(string_to_sign);
        mac.verify_slice(signature).is_ok()
    }
}

fn keyed(key: &[u8]) -> Hmac<Sha256> {
    Hmac::new_from_slice(key).expect("HMAC takes keys of any length")
}
