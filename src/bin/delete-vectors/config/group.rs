//! An AccessKey pair and its token, all from one source.

use std::mem::take;

use oss_delete_vectors::Credentials;
use zeroize::Zeroizing;

use super::credentials::pair_places;
use super::error::ConfigError;
use super::mode::Mode;
use super::setting::{Lookup, Setting};

/// The names of a pair and its token. The variables of ossutil override those of all tools.
pub(super) struct Names {
    pub(super) id: Setting,
    pub(super) secret: Setting,
    token: Setting,
}

pub(super) const OSS: Names = Names {
    id: Setting::new("access key id")
        .variable("OSS_ACCESS_KEY_ID")
        .key("access-key-id")
        .example("example-id"),
    secret: Setting::new("access key secret")
        .variable("OSS_ACCESS_KEY_SECRET")
        .key("access-key-secret")
        .example("example-secret"),
    token: Setting::new("security token").variable("OSS_SESSION_TOKEN").key("sts-token"),
};
pub(super) const ALIBABA_CLOUD: Names = Names {
    id: Setting::new("access key id").variable("ALIBABA_CLOUD_ACCESS_KEY_ID"),
    secret: Setting::new("access key secret").variable("ALIBABA_CLOUD_ACCESS_KEY_SECRET"),
    token: Setting::new("security token").variable("ALIBABA_CLOUD_SECURITY_TOKEN"),
};

/// The values of the three that one source has.
pub(super) struct Group {
    names: &'static Names,
    source: Origin,
    id: Option<String>,
    secret: Option<Zeroizing<String>>,
    token: Option<Zeroizing<String>>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Origin {
    Environment,
    Profile(Mode),
}

impl Origin {
    /// The places where these are expected.
    pub(super) fn place(self, lookup: &Lookup<'_>, settings: &[&Setting]) -> String {
        let names = |name: fn(&Setting) -> Option<&'static str>| {
            settings.iter().filter_map(|setting| name(setting)).collect::<Vec<_>>().join(" and ")
        };
        match self {
            Self::Environment => names(|setting| setting.variable),
            Self::Profile(_) => {
                lookup.place_in_profile(names(|setting| setting.key)).unwrap_or_default()
            }
        }
    }
}

impl Group {
    /// Returns `None` if the environment has neither id nor secret. A token alone is ignored.
    pub(super) fn in_environment(
        lookup: &mut Lookup<'_>,
        names: &'static Names,
    ) -> Result<Option<Self>, ConfigError> {
        let id = lookup.in_environment(&names.id)?;
        let secret = lookup.in_environment(&names.secret)?.map(Zeroizing::new);
        if id.is_none() && secret.is_none() {
            return Ok(None);
        }
        let token = lookup.in_environment(&names.token)?.map(Zeroizing::new);
        Ok(Some(Self { names, source: Origin::Environment, id, secret, token }))
    }

    pub(super) fn in_profile(lookup: &mut Lookup<'_>, mode: Mode) -> Self {
        let [id, secret] = [&OSS.id, &OSS.secret]
            .map(|setting| lookup.in_profile(setting).or_else(|| lookup.example(setting)));
        let token = if mode == Mode::AccessKey { None } else { lookup.in_profile(&OSS.token) };
        Self {
            names: &OSS,
            source: Origin::Profile(mode),
            id,
            secret: secret.map(Zeroizing::new),
            token: token.map(Zeroizing::new),
        }
    }

    /// `None` if a part is missing.
    pub(super) fn into_credentials(
        self,
        lookup: &mut Lookup<'_>,
    ) -> Result<Option<Credentials>, ConfigError> {
        let needs_token = self.source == Origin::Profile(Mode::Sts);
        match self {
            Self { id: Some(id), secret: Some(mut secret), token, .. }
                if token.is_some() || !needs_token =>
            {
                Credentials::new(id, take(&mut *secret))
                    .and_then(|credentials| {
                        credentials.with_security_token(take(&mut *token.unwrap_or_default()))
                    })
                    .map(Some)
                    .map_err(|invalid| lookup.invalid(invalid))
            }
            Self { id: None, secret: None, .. } if !needs_token => {
                let places = pair_places(lookup, self.source);
                lookup.missing("credentials", places);
                Ok(None)
            }
            Self { names, source, id, secret, token } => {
                let is_missing = [
                    (&names.id, id.is_none()),
                    (&names.secret, secret.is_none()),
                    (&names.token, needs_token && token.is_none()),
                ];
                for (setting, _) in is_missing.into_iter().filter(|(_, is_missing)| *is_missing) {
                    let place = source.place(lookup, &[setting]);
                    lookup.missing(
                        setting.name,
                        format!("{place}, with the rest of the credentials"),
                    );
                }
                Ok(None)
            }
        }
    }
}
