use std::fmt;
use std::str::FromStr;

use crate::InvalidValue;
use crate::random::Random;

/// A fault of a [`FaultyNetwork`](super::FaultyNetwork), in a request or its response.
///
/// One fault is missing on purpose: a well-formed but wrong response of the service, which reports
/// a request as rejected or executed although the opposite is true. No client could detect it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Fault {
    /// The connection is refused, so that the request is certainly not sent.
    ConnectionRefused,
    /// The request never arrives. Half of these end with a connection reset, the others with
    /// silence.
    LostRequest,
    /// The request arrives up to two minutes late, possibly after the client has given up.
    LateRequest,
    /// A byte of the body is changed in transit, so that `Content-MD5` does not match.
    CorruptedRequest,
    /// The request arrives a second time, up to ten seconds later, as if a proxy had retried it,
    /// unless the service rejected the first one. The second response is lost.
    RepeatedRequest,
    /// The service throttles. Mostly a 503 with one of its codes, after which some of the keys may
    /// be deleted; otherwise a 429, or a 400 with the code of an API gateway, `Throttling.User`. A
    /// third of the responses ask the client to wait for 1 to 20 seconds.
    Throttle,
    /// The service fails with 500, 503, 408 or 400 `RequestTimeout` after it deleted none, some or
    /// all of the keys.
    ServerError,
    /// The service rejects the request for a temporary reason, or with an undocumented code: 400,
    /// 401 or 409. Nothing is deleted.
    Rejection,
    /// The request is executed and its response is lost. Half of these end with a connection reset,
    /// the others with silence.
    LostResponse,
    /// The response arrives up to three minutes late.
    LateResponse,
    /// The response arrives a second time, up to ten seconds later.
    RepeatedResponse,
    /// The body of the response is truncated. Half of these look complete, as if the body ended
    /// with the connection. The others, and those without a body, are failures.
    TruncatedResponse,
    /// A proxy replaces the response with its own page or with only a status, such as a bare 204:
    /// 2xx, 302, 4xx or 5xx, without a request id. The service has handled the request.
    Page,
    /// The status of the response is changed to 302, 408, 500, 502, 503 or 504.
    FlippedStatus,
    /// An [`Outage`](super::Outage) of any kind begins with this request. It lasts 1 to 120
    /// seconds.
    Outage,
}

impl Fault {
    /// All faults.
    pub const ALL: &'static [Self] = &[
        Self::ConnectionRefused,
        Self::LostRequest,
        Self::LateRequest,
        Self::CorruptedRequest,
        Self::RepeatedRequest,
        Self::Throttle,
        Self::ServerError,
        Self::Rejection,
        Self::LostResponse,
        Self::LateResponse,
        Self::RepeatedResponse,
        Self::TruncatedResponse,
        Self::Page,
        Self::FlippedStatus,
        Self::Outage,
    ];

    pub(super) const COUNT: usize = Self::ALL.len();

    /// The name, such as `lost-response`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::ConnectionRefused => "connection-refused",
            Self::LostRequest => "lost-request",
            Self::LateRequest => "late-request",
            Self::CorruptedRequest => "corrupted-request",
            Self::RepeatedRequest => "repeated-request",
            Self::Throttle => "throttle",
            Self::ServerError => "server-error",
            Self::Rejection => "rejection",
            Self::LostResponse => "lost-response",
            Self::LateResponse => "late-response",
            Self::RepeatedResponse => "repeated-response",
            Self::TruncatedResponse => "truncated-response",
            Self::Page => "page",
            Self::FlippedStatus => "flipped-status",
            Self::Outage => "outage",
        }
    }

    pub(super) fn index(self) -> usize {
        self as usize
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl FromStr for Fault {
    type Err = InvalidValue;

    /// Parses the name of a fault.
    ///
    /// # Errors
    ///
    /// [`InvalidValue`] with the field `fault`, whose rule lists all names.
    fn from_str(name: &str) -> Result<Self, InvalidValue> {
        // Until 0.1, responses were called answers.
        let current = name.replace("-answer", "-response");
        let found = Self::ALL.iter().copied().find(|fault| fault.as_str() == current);
        let rule = "must be one of connection-refused, lost-request, late-request, \
                    corrupted-request, repeated-request, throttle, server-error, rejection, \
                    lost-response, late-response, repeated-response, truncated-response, page, \
                    flipped-status, outage";
        found.ok_or_else(|| InvalidValue::new("fault", rule, name))
    }
}

/// The probability of each fault, per request. 0 by default.
///
/// The text form is `name=probability`, joined by commas:
///
/// ```
/// use oss_delete_vectors::emulator::{Fault, Faults};
///
/// let faults: Faults = "lost-response=0.05, throttle=0.2".parse()?;
/// assert_eq!(faults.probability(Fault::LostResponse), 0.05);
/// assert_eq!(faults.to_string(), "throttle=0.2,lost-response=0.05");
/// assert_eq!(faults, Faults::none().with(Fault::Throttle, 0.2)?.with(Fault::LostResponse, 0.05)?);
///
/// let error = "throttle=20%".parse::<Faults>().unwrap_err();
/// assert_eq!(
///     error.to_string(),
///     r#"probability of throttle must be a number from 0 to 1, not "20%""#,
/// );
/// # Ok::<_, oss_delete_vectors::InvalidValue>(())
/// ```
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Faults {
    probabilities: [f64; Fault::COUNT],
}

impl Faults {
    /// No faults: the network only adds latency.
    #[must_use]
    pub fn none() -> Self {
        Self::default()
    }

    /// Sets the probability of `fault`, 0 to 1.
    ///
    /// # Errors
    ///
    /// [`InvalidValue`] if `probability` is not a number from 0 to 1.
    pub fn with(mut self, fault: Fault, probability: f64) -> Result<Self, InvalidValue> {
        if !(0.0..=1.0).contains(&probability) {
            return Err(invalid_probability(fault, &probability.to_string()));
        }
        self.probabilities[fault.index()] = probability;
        Ok(self)
    }

    /// The probability of `fault`, 0 to 1.
    #[must_use]
    pub fn probability(&self, fault: Fault) -> f64 {
        self.probabilities[fault.index()]
    }

    /// Whether `fault` happens this time.
    pub(super) fn happens(&self, fault: Fault, random: &mut Random) -> bool {
        // Always draws a number, so that changing one probability does not affect the other faults.
        random.fraction() < self.probability(fault)
    }
}

impl FromStr for Faults {
    type Err = InvalidValue;

    /// Parses `name=probability`, joined by commas. Empty text means no faults.
    ///
    /// # Errors
    ///
    /// [`InvalidValue`] with the field `faults` if a part has no `=` or repeats a name, `fault` if
    /// a name is unknown, or `probability of {fault}` if that is not a number from 0 to 1.
    fn from_str(text: &str) -> Result<Self, InvalidValue> {
        let pieces = text.split(',').map(str::trim).filter(|piece| !piece.is_empty());
        let mut named = [false; Fault::COUNT];
        pieces.into_iter().try_fold(Self::none(), |faults, piece| {
            let (name, number) = piece.split_once('=').ok_or_else(|| {
                InvalidValue::new("faults", "must be name=probability, joined by commas", piece)
            })?;
            let fault: Fault = name.trim().parse()?;
            if std::mem::replace(&mut named[fault.index()], true) {
                return Err(InvalidValue::new("faults", "must name each fault once", piece));
            }
            let probability =
                number.trim().parse().map_err(|_| invalid_probability(fault, number.trim()))?;
            faults.with(fault, probability)
        })
    }
}

/// The form that `FromStr` parses, in the order of [`Fault::ALL`].
impl fmt::Display for Faults {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let set = Fault::ALL
            .iter()
            .copied()
            .map(|fault| (fault, self.probability(fault)))
            .filter(|&(_, probability)| probability > 0.0);
        for (position, (fault, probability)) in set.enumerate() {
            let comma = if position > 0 { "," } else { "" };
            write!(f, "{comma}{fault}={probability}")?;
        }
        Ok(())
    }
}

fn invalid_probability(fault: Fault, value: &str) -> InvalidValue {
    InvalidValue::new(format!("probability of {fault}"), "must be a number from 0 to 1", value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn faults_round_trip_as_text() {
        let mut faults = Faults::none();
        assert_eq!(faults.to_string(), "");
        for (index, &fault) in (0_u32..).zip(Fault::ALL) {
            assert_eq!(fault.index(), index as usize);
            faults = faults.with(fault, f64::from(index + 1) / 64.0).unwrap();
        }
        assert_eq!(faults.to_string().parse(), Ok(faults));
        assert_eq!(" , ".parse(), Ok(Faults::none()));
    }

    #[test]
    fn invalid_texts_are_rejected() {
        for (text, expected) in [
            ("lost", r#"faults must be name=probability, joined by commas, not "lost""#),
            ("outage=0.1,outage=0.2", r#"faults must name each fault once, not "outage=0.2""#),
            ("page=", r#"probability of page must be a number from 0 to 1, not """#),
            ("page=1.5", r#"probability of page must be a number from 0 to 1, not "1.5""#),
            ("page=NaN", r#"probability of page must be a number from 0 to 1, not "NaN""#),
        ] {
            assert_eq!(text.parse::<Faults>().unwrap_err().to_string(), expected);
        }
        let refused = "gremlins=1".parse::<Faults>().unwrap_err();
        assert_eq!((refused.field(), refused.value()), ("fault", Some("gremlins")));
        assert!(Fault::ALL.iter().all(|fault| refused.rule().contains(fault.as_str())));
    }
}
