//! The name of each setting in each source, and the lookup.

use std::ffi::OsString;
use std::fmt::Display;

use oss_delete_vectors::InvalidValue;

use super::error::{ConfigError, Missing};
use super::file::FileProfile;

/// A setting, and its name in each source. A secret has no option: other users of the host can see
/// command lines.
pub(super) struct Setting {
    /// As the library's errors name the field.
    pub(super) name: &'static str,
    option: Option<&'static str>,
    pub(super) variable: Option<&'static str>,
    /// In a profile of the configuration file.
    pub(super) key: Option<&'static str>,
    /// Stands in for it with `--emulator`.
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

/// The sources of settings, with what was found and what is missing so far.
pub(super) struct Lookup<'a> {
    environment: &'a dyn Fn(&str) -> Option<OsString>,
    /// `None` with `--emulator`: a rehearsal depends on the command line alone.
    profile: Option<FileProfile<'a>>,
    /// The names of the settings found, and where each was.
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

    /// The variable of this name, for the sources of the library. One that is not UTF-8 names
    /// nothing that they could use.
    pub(super) fn environment_text(&self, name: &str) -> Option<String> {
        (self.environment)(name)?.into_string().ok()
    }

    /// Looks into another profile until the result is given back to `restore`.
    pub(super) fn enter(
        &mut self,
        name: &str,
        origin: &str,
    ) -> Result<FileProfile<'a>, ConfigError> {
        let current = self.profile.as_mut().expect("a key of a profile named it");
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

    /// Where `what`, a key or several, would stand in the profile.
    pub(super) fn place_in_profile(&self, what: impl Display) -> Option<String> {
        self.profile.as_ref().map(|profile| format!("{what} in {profile}"))
    }

    /// Where the setting of this name was found.
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

    pub(super) fn refused(&self, invalid: InvalidValue) -> ConfigError {
        ConfigError::Refused { origin: self.origin(invalid.field()).map(str::to_owned), invalid }
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
