//! The name of each setting in each source, and the lookup.

use std::ffi::OsString;
use std::fmt::Display;

use oss_delete_vectors::InvalidValue;

use super::error::{ConfigError, Missing};
use super::file::FileProfile;

/// A setting, and its name in each source. Secrets have no option, because other users of the host
/// can see command lines.
pub(super) struct Setting {
    /// The field name in the library's errors.
    pub(super) name: &'static str,
    option: Option<&'static str>,
    pub(super) variable: Option<&'static str>,
    /// The key in a profile of the configuration file.
    pub(super) key: Option<&'static str>,
    /// The value with `--emulator` if none is given.
    example: Option<&'static str>,
}

impl Setting {
    pub(super) const fn new(name: &'static str) -> Self {
        Self { name, option: None, variable: None, key: None, example: None }
    }

    pub(super) const fn option(self, option: &'static str) -> Self {
        Self { option: Some(option), ..self }
    }

    pub(super) const fn variable(self, variable: &'static str) -> Self {
        Self { variable: Some(variable), ..self }
    }

    pub(super) const fn key(self, key: &'static str) -> Self {
        Self { key: Some(key), ..self }
    }

    pub(super) const fn example(self, example: &'static str) -> Self {
        Self { example: Some(example), ..self }
    }
}

/// The sources of settings, with the settings found and missing so far.
pub(super) struct Lookup<'a> {
    environment: &'a dyn Fn(&str) -> Option<OsString>,
    /// `None` with `--emulator`, which depends only on the command line.
    profile: Option<FileProfile<'a>>,
    /// The names of the settings found, and their origins.
    origins: Vec<(&'static str, String)>,
    missing: Vec<Missing>,
}

impl<'a> Lookup<'a> {
    pub(super) fn new(
        environment: &'a dyn Fn(&str) -> Option<OsString>,
        profile: Option<FileProfile<'a>>,
    ) -> Self {
        Self { environment, profile, origins: Vec::new(), missing: Vec::new() }
    }

    pub(super) fn find(
        &mut self,
        setting: &Setting,
        given: Option<&str>,
    ) -> Result<Option<String>, ConfigError> {
        let found = self.find_optional(setting, given)?;
        if found.is_none() {
            let key = setting.key.and_then(|key| self.place_in_profile(key));
            let places = [setting.option, setting.variable]
                .into_iter()
                .flatten()
                .map(str::to_owned)
                .chain(key);
            self.missing(setting.name, places.collect::<Vec<_>>().join(", "));
        }
        Ok(found)
    }

    /// The command line, then the environment, then the profile.
    pub(super) fn find_optional(
        &mut self,
        setting: &Setting,
        given: Option<&str>,
    ) -> Result<Option<String>, ConfigError> {
        if let (Some(option), Some(value)) = (setting.option, given) {
            self.origins.push((setting.name, option.to_owned()));
            return Ok(Some(value.to_owned()));
        }
        if let Some(value) = self.in_environment(setting)? {
            return Ok(Some(value));
        }
        Ok(self.in_profile(setting).or_else(|| self.example(setting)))
    }

    pub(super) fn in_environment(
        &mut self,
        setting: &Setting,
    ) -> Result<Option<String>, ConfigError> {
        let Some(variable) = setting.variable.filter(|_| !self.is_rehearsal()) else {
            return Ok(None);
        };
        let value = self::variable(self.environment, variable)?;
        if value.is_some() {
            self.origins.push((setting.name, variable.to_owned()));
        }
        Ok(value)
    }

    pub(super) fn in_profile(&mut self, setting: &Setting) -> Option<String> {
        let (value, origin) = self.profile.as_ref()?.get(setting.key?)?;
        self.origins.push((setting.name, origin));
        Some(value.to_owned())
    }

    pub(super) fn example(&self, setting: &Setting) -> Option<String> {
        setting.example.filter(|_| self.is_rehearsal()).map(str::to_owned)
    }

    /// The variable of this name, for the library's sources. `None` if it is not UTF-8, because
    /// they could not use it.
    pub(super) fn environment_text(&self, name: &str) -> Option<String> {
        (self.environment)(name)?.into_string().ok()
    }

    /// Switches to another profile until the result is passed to `restore`.
    pub(super) fn enter(
        &mut self,
        name: &str,
        origin: &str,
    ) -> Result<FileProfile<'a>, ConfigError> {
        let current = self.profile.as_mut().expect("a key of a profile refers to it");
        let other = current.other(name, origin)?;
        Ok(std::mem::replace(current, other))
    }

    pub(super) fn restore(&mut self, profile: FileProfile<'a>) {
        self.profile = Some(profile);
    }

    pub(super) fn has_missing(&self) -> bool {
        !self.missing.is_empty()
    }

    pub(super) fn is_rehearsal(&self) -> bool {
        self.profile.is_none()
    }

    /// The place of one or several keys in the profile.
    pub(super) fn place_in_profile(&self, what: impl Display) -> Option<String> {
        self.profile.as_ref().map(|profile| format!("{what} in {profile}"))
    }

    /// The origin of the setting of this name.
    pub(super) fn origin(&self, name: &str) -> Option<&str> {
        self.origins
            .iter()
            .rev()
            .find(|(found, _)| *found == name)
            .map(|(_, origin)| origin.as_str())
    }

    pub(super) fn missing(&mut self, name: &'static str, places: String) {
        self.missing.push(Missing { name, places });
    }

    /// The error that lists all missing settings.
    pub(super) fn into_missing(self) -> ConfigError {
        ConfigError::Missing(self.missing)
    }

    pub(super) fn invalid(&self, invalid: InvalidValue) -> ConfigError {
        ConfigError::Invalid { origin: self.origin(invalid.field()).map(str::to_owned), invalid }
    }
}

/// The value of a variable. An empty value counts as unset.
pub(super) fn variable(
    environment: &dyn Fn(&str) -> Option<OsString>,
    name: &'static str,
) -> Result<Option<String>, ConfigError> {
    let value = environment(name).filter(|value| !value.is_empty());
    value.map(OsString::into_string).transpose().map_err(|_| ConfigError::NotUtf8(name.to_owned()))
}
