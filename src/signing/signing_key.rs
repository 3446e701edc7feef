use std::hint::black_box;
use std::sync::Arc;

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use zeroize::Zeroizing;

/// How much stack is wiped, in bytes: more than HMAC uses.
const STACK: usize = 2048;

/// The key derived from a secret for one scope, that is, one day, region and product. Held as a
/// keyed HMAC state, which is wiped on drop.
pub(super) struct SigningKey {
    scope: String,
    state: Hmac<Sha256>,
}

impl SigningKey {
    pub(super) fn derive(access_key_secret: &str, scope: String) -> Arc<Self> {
        let mut secret =
            Zeroizing::new(String::with_capacity("aliyun_v4".len() + access_key_secret.len()));
        secret.push_str("aliyun_v4");
        secret.push_str(access_key_secret);
        on_wiped_stack(|| {
            let state = scope.split('/').fold(keyed(secret.as_bytes()), |mut state, step| {
                state.update(step.as_bytes());
                keyed(&state.finalize().into_bytes())
            });
            Arc::new(Self { scope, state })
        })
    }

    /// The scope that the key is for. It begins with the day.
    pub(super) fn scope(&self) -> &str {
        &self.scope
    }

    pub(super) fn sign(&self, string_to_sign: &[u8]) -> [u8; 32] {
        on_wiped_stack(|| self.mac(string_to_sign).finalize().into_bytes().into())
    }

    /// Whether `signature` is the one of `string_to_sign`. Compares in constant time.
    pub(super) fn verify(&self, string_to_sign: &[u8], signature: &[u8; 32]) -> bool {
        on_wiped_stack(|| self.mac(string_to_sign).verify_slice(signature).is_ok())
    }

    fn mac(&self, string_to_sign: &[u8]) -> Hmac<Sha256> {
        self.state.clone().chain_update(string_to_sign)
    }
}

/// Overwrites the stack used by `work`. Moved values leave copies there, which no destructor wipes.
/// The result must not be a secret on the stack.
pub(crate) fn on_wiped_stack<T>(work: impl FnOnce() -> T) -> T {
    #[inline(never)]
    fn use_stack<T>(work: impl FnOnce() -> T) -> T {
        work()
    }
    #[inline(never)]
    fn wipe_stack() {
        black_box(&mut [0_u8; STACK]);
    }
    let result = use_stack(work);
    wipe_stack();
    result
}

fn keyed(key: &[u8]) -> Hmac<Sha256> {
    Hmac::new_from_slice(key).expect("HMAC takes keys of any length")
}
