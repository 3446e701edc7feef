//! The credentials that the service accepts, and the provider of the client.

use std::time::{Duration, SystemTime};

use oss_delete_vectors::Credentials;
use oss_delete_vectors::emulator::{Emulator, Identity};

use crate::canary::{SECRET, TOKEN};
use crate::scenario::{Provider, Scenario, Token};

pub(crate) struct Identities {
    token: Option<Token>,
    provider: Option<Provider>,
    wrong_left: u32,
    issued: u32,
    is_denied: bool,
    is_disabled: bool,
    /// The credentials in use, as the service knows them.
    current: Option<Credentials>,
    reply_at: Option<Duration>,
}

pub(crate) enum Reply {
    Wrong,
    Right,
}

impl Identities {
    pub(crate) fn new(scenario: &Scenario) -> Self {
        Self {
            token: scenario.token,
            provider: scenario.provider,
            wrong_left: scenario.provider.map_or(0, |provider| provider.wrong_first),
            issued: 0,
            is_denied: false,
            is_disabled: false,
            current: None,
            reply_at: None,
        }
    }

    /// Issues new credentials and registers them with the service. `now` is the service's time.
    pub(crate) fn issue(&mut self, now: SystemTime, emulator: &mut Emulator) -> Credentials {
        self.issued += 1;
        let pair = Credentials::new(format!("key{}", self.issued), SECRET).unwrap();
        let (known_to_client, known_to_service) = match self.token {
            None => (pair.clone(), pair),
            Some(Token { lifetime, is_known }) => {
                let pair = pair.with_security_token(format!("{TOKEN}{}", self.issued)).unwrap();
                let expiring = pair.clone().with_expiration(now + lifetime);
                (if is_known { expiring.clone() } else { pair }, expiring)
            }
        };
        self.current = Some(known_to_service);
        self.update(emulator);
        known_to_client
    }

    pub(crate) fn asked(&mut self, now: Duration) {
        let delay = self.provider.expect("there is a provider").delay;
        if self.reply_at.is_none() {
            self.reply_at = delay.map(|delay| now + delay);
        }
    }

    pub(crate) fn next(&self) -> Option<Duration> {
        self.reply_at
    }

    pub(crate) fn due(&mut self, now: Duration) -> Option<Reply> {
        self.reply_at.take_if(|at| *at <= now)?;
        if self.wrong_left > 0 {
            self.wrong_left -= 1;
            return Some(Reply::Wrong);
        }
        Some(Reply::Right)
    }

    pub(crate) fn deny(&mut self, emulator: &mut Emulator) {
        self.is_denied = true;
        self.update(emulator);
    }

    pub(crate) fn disable(&mut self, emulator: &mut Emulator) {
        self.is_disabled = true;
        self.update(emulator);
    }

    /// The service rejects the credentials in use from now on.
    pub(crate) fn revoke(&mut self, emulator: &mut Emulator) {
        if let Some(credentials) = self.current.take() {
            emulator.remove_identity(credentials.access_key_id());
        }
    }

    fn update(&self, emulator: &mut Emulator) {
        let Some(credentials) = self.current.clone() else { return };
        let identity = Identity::new(credentials);
        let identity = if self.is_denied { identity.allowed_on([""; 0]) } else { identity };
        emulator.add_identity(if self.is_disabled { identity.disabled() } else { identity });
    }
}
