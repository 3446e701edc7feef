use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use zeroize::Zeroizing;

/// A secret narrowed to a scope, which is one day, one region and the product: the keyed HMAC state, ready to sign. Wiped on
/// drop.
pub(super) struct SigningKey {
    scope: String,
    state: Hmac<Sha256>,
}

impl SigningKey {
    pub(super) fn derive(access_key_secret: &str, scope: String) -> Self {
        let mut secret = Zeroizing::new(String::with_capacity("aliyun_v4".len() + access_key_secret.len()));
        secret.push_str("aliyun_v4");
        secret.push_str(access_key_secret);
        let state = scope.split('/').fold(keyed(secret.as_bytes()), |mut state, step| {
            state.update(step.as_bytes());
            let key: Zeroizing<[u8; 32]> = Zeroizing::new(state.finalize().into_bytes().into());
            keyed(key.as_slice())
        });
        Self { scope, state }
    }

    /// What the key signs for; it begins with the day.
    pub(super) fn scope(&self) -> &str {
        &self.scope
    }

    pub(super) fn sign(&self, string_to_sign: &[u8]) -> [u8; 32] {
        let mut mac = self.state.clone();
        mac.update(string_to_sign);
        mac.finalize().into_bytes().into()
    }

    /// Whether `signature` is that of `string_to_sign`, compared in constant time.
    pub(super) fn verify(&self, string_to_sign: &[u8], signature: &[u8; 32]) -> bool {
        let mut mac = self.state.clone();
        mac.update(string_to_sign);
        mac.verify_slice(signature).is_ok()
    }
}

fn keyed(key: &[u8]) -> Hmac<Sha256> {
    Hmac::new_from_slice(key).expect("HMAC takes keys of any length")
}
