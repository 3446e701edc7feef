//! Sources that environment variables configure. The caller reads the variables.

use zeroize::Zeroizing;

#[cfg(doc)]
use super::AssumeRole;
use super::{Credentials, CredentialsUri, EcsRole, Oidc, Source};
use crate::InvalidValue;

/// The value of a variable. An empty one counts as unset.
pub type Variables<'a> = &'a dyn Fn(&str) -> Option<String>;

const ROLE_ARN: &str = "ALIBABA_CLOUD_ROLE_ARN";
const PROVIDER_ARN: &str = "ALIBABA_CLOUD_OIDC_PROVIDER_ARN";
const TOKEN_FILE: &str = "ALIBABA_CLOUD_OIDC_TOKEN_FILE";
const SESSION_NAME: &str = "ALIBABA_CLOUD_ROLE_SESSION_NAME";

/// An AccessKey id, its secret and its token.
const KEYS: [[&str; 3]; 2] = [
    ["OSS_ACCESS_KEY_ID", "OSS_ACCESS_KEY_SECRET", "OSS_SESSION_TOKEN"],
    [
        "ALIBABA_CLOUD_ACCESS_KEY_ID",
        "ALIBABA_CLOUD_ACCESS_KEY_SECRET",
        "ALIBABA_CLOUD_SECURITY_TOKEN",
    ],
];

impl Source {
    /// The default chain: the first source that is configured. If it fails, no other one is tried,
    /// because that would be another identity.
    ///
    /// 1. `OSS_ACCESS_KEY_ID`, `OSS_ACCESS_KEY_SECRET`, `OSS_SESSION_TOKEN`, then
    ///    `ALIBABA_CLOUD_ACCESS_KEY_ID`, `ALIBABA_CLOUD_ACCESS_KEY_SECRET`,
    ///    `ALIBABA_CLOUD_SECURITY_TOKEN`;
    /// 2. OIDC, see [`oidc_from_environment`](Self::oidc_from_environment);
    /// 3. the platform, see [`platform_from_environment`](Self::platform_from_environment).
    ///
    /// A program with profiles tries them before the platform. `None` if nothing is configured and
    /// the metadata service is disabled.
    ///
    /// # Errors
    ///
    /// [`InvalidValue`]: half of a pair is set, or a value breaks its rule. The field is the name
    /// of the variable, or that of the value.
    ///
    /// ```
    /// use oss_delete_vectors::credentials::Source;
    ///
    /// let source = Source::from_environment(&|name| std::env::var(name).ok())?;
    /// # Ok::<_, oss_delete_vectors::InvalidValue>(())
    /// ```
    pub fn from_environment(variables: Variables<'_>) -> Result<Option<Self>, InvalidValue> {
        for names in KEYS {
            if let Some(credentials) = keys(variables, names)? {
                return Ok(Some(credentials.into()));
            }
        }
        match Self::oidc_from_environment(variables)? {
            Some(source) => Ok(Some(source)),
            None => Self::platform_from_environment(variables),
        }
    }

    /// [`Oidc`] if `ALIBABA_CLOUD_OIDC_TOKEN_FILE` is set, with `ALIBABA_CLOUD_ROLE_ARN`,
    /// `ALIBABA_CLOUD_OIDC_PROVIDER_ARN` and `ALIBABA_CLOUD_ROLE_SESSION_NAME`, and STS at
    /// [`sts_address`].
    ///
    /// # Errors
    ///
    /// [`InvalidValue`]: one of the ARNs is not set, or a value breaks its rule.
    pub fn oidc_from_environment(variables: Variables<'_>) -> Result<Option<Self>, InvalidValue> {
        let Some(token_file) = get(variables, TOKEN_FILE) else { return Ok(None) };
        let required = |name| {
            let rule = "must be set, as ALIBABA_CLOUD_OIDC_TOKEN_FILE is";
            get(variables, name).ok_or(InvalidValue::without_value(name, rule))
        };
        let (role, provider) = (required(ROLE_ARN)?, required(PROVIDER_ARN)?);
        let mut source =
            Oidc::new(&role, &provider, token_file)?.sts_address(&sts_address(variables))?;
        if let Some(name) = get(variables, SESSION_NAME) {
            source = source.session_name(&name)?;
        }
        Ok(Some(source.into()))
    }

    /// The source of the platform: [`EcsRole`] if `ALIBABA_CLOUD_ECS_METADATA` contains a role,
    /// else [`CredentialsUri`] if `ALIBABA_CLOUD_CREDENTIALS_URI` is set, else `EcsRole` with any
    /// role.
    ///
    /// `ALIBABA_CLOUD_ECS_METADATA_DISABLED=true` disables the metadata service, and
    /// `ALIBABA_CLOUD_IMDSV1_DISABLED=true` disables it without a token.
    ///
    /// # Errors
    ///
    /// [`InvalidValue`]: a value breaks its rule.
    pub fn platform_from_environment(
        variables: Variables<'_>,
    ) -> Result<Option<Self>, InvalidValue> {
        let is_true =
            |name| get(variables, name).is_some_and(|value| value.eq_ignore_ascii_case("true"));
        let is_allowed = !is_true("ALIBABA_CLOUD_ECS_METADATA_DISABLED");
        let mut role = EcsRole::new();
        if is_true("ALIBABA_CLOUD_IMDSV1_DISABLED") {
            role = role.without_imds_v1();
        }
        if let Some(name) = get(variables, "ALIBABA_CLOUD_ECS_METADATA").filter(|_| is_allowed) {
            return Ok(Some(role.role_name(&name)?.into()));
        }
        if let Some(uri) = get(variables, "ALIBABA_CLOUD_CREDENTIALS_URI") {
            return Ok(Some(CredentialsUri::new(&uri)?.into()));
        }
        Ok(is_allowed.then(|| role.into()))
    }
}

/// The address of STS: `https://sts.aliyuncs.com`, that of a region with
/// `ALIBABA_CLOUD_STS_REGION`, and its VPC endpoint with `ALIBABA_CLOUD_VPC_ENDPOINT_ENABLED=true`.
///
/// For [`Oidc::sts_address`] and [`AssumeRole::sts_address`].
#[must_use]
pub fn sts_address(variables: Variables<'_>) -> String {
    let is_vpc = get(variables, "ALIBABA_CLOUD_VPC_ENDPOINT_ENABLED")
        .is_some_and(|value| value.eq_ignore_ascii_case("true"));
    match get(variables, "ALIBABA_CLOUD_STS_REGION") {
        Some(region) if is_vpc => format!("https://sts-vpc.{region}.aliyuncs.com"),
        Some(region) => format!("https://sts.{region}.aliyuncs.com"),
        None => "https://sts.aliyuncs.com".to_owned(),
    }
}

fn keys(
    variables: Variables<'_>,
    [id, secret, token]: [&'static str; 3],
) -> Result<Option<Credentials>, InvalidValue> {
    let missing =
        |name| InvalidValue::without_value(name, "must be set, as the other half of the pair is");
    match (get(variables, id), get(variables, secret).map(Zeroizing::new)) {
        (None, None) => Ok(None),
        (None, Some(_)) => Err(missing(id)),
        (Some(_), None) => Err(missing(secret)),
        (Some(id), Some(mut secret)) => Credentials::new(id, std::mem::take(&mut *secret))?
            .with_security_token(get(variables, token).unwrap_or_default())
            .map(Some),
    }
}

fn get(variables: Variables<'_>, name: &str) -> Option<String> {
    variables(name).filter(|value| !value.is_empty())
}
