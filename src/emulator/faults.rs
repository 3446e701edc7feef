use std::fmt;
use std::str::FromStr;

use crate::Invalid;
use crate::random::Random;

/// What a [`FaultyNetwork`](super::FaultyNetwork) can do to a request or to its answer.
///
/// What is left out on purpose: an answer that says clearly, in the service's own way, that a request was refused or that it
/// was executed, when the opposite is true. No client could tell.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Fault {
    /// No connection: the request is surely not sent.
    ConnectionRefused,
    /// The request never arrives. Half of them end in a reset connection, of the others nothing is heard.
    LostRequest,
    /// The request arrives up to two minutes late: after its sender has given it up, maybe.
    LateRequest,
    /// The request arrives with a byte of its body changed, which its `Content-MD5` tells.
    CorruptedRequest,
    /// The request arrives a second time, up to ten seconds later, as through a proxy that sends again on its own; unless the
    /// service refused the first. The second answer goes nowhere.
    RepeatedRequest,
    /// The service throttles: most often 503 with one of its codes, and then a part of the keys may be deleted; else 429, or 400
    /// with the code of an API gateway, `Throttling.User`.
    /// A third of the answers ask to wait, 1 to 20 seconds.
    Throttle,
    /// The service fails, 500, 503, 408 or 400 `RequestTimeout`, after it has deleted none, some or all of the keys.
    ServerError,
    /// The service rejects the request for something that passes, or with a code that is not documented: 400, 401 or 409. Nothing
    /// is deleted.
    Rejection,
    /// The request is executed, and its answer lost. Half of them end in a reset connection, of the others nothing is heard.
    LostAnswer,
    /// The answer comes up to three minutes late.
    LateAnswer,
    /// The answer comes a second time, up to ten seconds later.
    RepeatedAnswer,
    /// The answer's body breaks off. Half of them look complete, as over a connection that ends with the body; the others, and
    /// those that have no body, are told as failures.
    TruncatedAnswer,
    /// A proxy answers in the service's place with a page of its own, or with nothing but a status, a bare 204 among them: 2xx, 302,
    /// 4xx or 5xx, without the service's request id. The request has arrived nevertheless.
    Page,
    /// The answer comes with another status on it: 302, 408, 500, 502, 503 or 504.
    FlippedStatus,
    /// The request is the first to meet an [`Outage`](super::Outage), of any kind, 1 to 120 seconds long.
    Outage,
}

impl Fault {
    /// All faults there are.
    pub const ALL: &'static [Self] = &[
        Self::ConnectionRefused,
        Self::LostRequest,
        Self::LateRequest,
        Self::CorruptedRequest,
        Self::RepeatedRequest,
        Self::Throttle,
        Self::ServerError,
        Self::Rejection,
        Self::LostAnswer,
        Self::LateAnswer,
        Self::RepeatedAnswer,
        Self::TruncatedAnswer,
        Self::Page,
        Self::FlippedStatus,
        Self::Outage,
    ];

    pub(super) const COUNT: usize = Self::ALL.len();

    /// Its name, such as `lost-answer`.
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
            Self::LostAnswer => "lost-answer",
            Self::LateAnswer => "late-answer",
            Self::RepeatedAnswer => "repeated-answer",
            Self::TruncatedAnswer => "truncated-answer",
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
    type Err = Invalid;

    /// Reads a fault's name.
    ///
    /// # Errors
    ///
    /// [`Invalid`] with the field `fault`, whose rule has all names.
    fn from_str(name: &str) -> Result<Self, Invalid> {
        let found = Self::ALL.iter().copied().find(|fault| fault.as_str() == name);
        let rule = "must be one of connection-refused, lost-request, late-request, corrupted-request, repeated-request, throttle, \
                    server-error, rejection, lost-answer, late-answer, repeated-answer, truncated-answer, page, flipped-status, \
                    outage";
        found.ok_or_else(|| Invalid::new("fault", rule, name))
    }
}

/// How probable each fault is, for each request on its own; 0 for all of them at first.
///
/// Written as `name=probability`, joined by commas:
///
/// ```
/// use oss_delete_vectors::emulator::{Fault, Faults};
///
/// let faults: Faults = "lost-answer=0.05, throttle=0.2".parse()?;
/// assert_eq!(faults.probability(Fault::LostAnswer), 0.05);
/// assert_eq!(faults.to_string(), "throttle=0.2,lost-answer=0.05");
/// assert_eq!(faults, Faults::none().with(Fault::Throttle, 0.2)?.with(Fault::LostAnswer, 0.05)?);
///
/// let refused = "throttle=20%".parse::<Faults>().unwrap_err();
/// assert_eq!(refused.to_string(), r#"probability of throttle must be a number from 0 to 1, not "20%""#);
/// # Ok::<_, oss_delete_vectors::Invalid>(())
/// ```
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Faults {
    probabilities: [f64; Fault::COUNT],
}

impl Faults {
    /// No faults: a network that only takes its time.
    #[must_use]
    pub fn none() -> Self {
        Self::default()
    }

    /// Sets how probable `fault` is, 0 to 1.
    ///
    /// # Errors
    ///
    /// [`Invalid`] when `probability` is no number from 0 to 1.
    pub fn with(mut self, fault: Fault, probability: f64) -> Result<Self, Invalid> {
        if !(0.0..=1.0).contains(&probability) {
            return Err(invalid_probability(fault, &probability.to_string()));
        }
        self.probabilities[fault.index()] = probability;
        Ok(self)
    }

    /// How probable `fault` is, 0 to 1.
    #[must_use]
    pub fn probability(&self, fault: Fault) -> f64 {
        self.probabilities[fault.index()]
    }

    /// Whether `fault` happens this time.
    pub(super) fn strikes(&self, fault: Fault, random: &mut Random) -> bool {
        // A number is drawn whatever the probability: to change one fault does not change when the others happen.
        random.fraction() < self.probability(fault)
    }
}

impl FromStr for Faults {
    type Err = Invalid;

    /// Reads `name=probability`, joined by commas; the last of two with the same name counts. The empty text is no faults.
    ///
    /// # Errors
    ///
    /// [`Invalid`] with the field `faults` where a piece has no `=`, `fault` where a name is none, and `probability of {fault}` where
    /// what follows is no number from 0 to 1.
    fn from_str(text: &str) -> Result<Self, Invalid> {
        let pieces = text.split(',').map(str::trim).filter(|piece| !piece.is_empty());
        pieces.into_iter().try_fold(Self::none(), |faults, piece| {
            let (name, number) = piece
                .split_once('=')
                .ok_or_else(|| Invalid::new("faults", "must be name=probability, joined by commas", piece))?;
            let fault: Fault = name.trim().parse()?;
            let probability = number.trim().parse().map_err(|_| invalid_probability(fault, number.trim()))?;
            faults.with(fault, probability)
        })
    }
}

/// As it is read, in the order of [`Fault::ALL`].
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

fn invalid_probability(fault: Fault, value: &str) -> Invalid {
    Invalid::new(format!("probability of {fault}"), "must be a number from 0 to 1", value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_back() {
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
    fn what_cannot_be_read_is_named() {
        for (text, expected) in [
            ("lost", r#"faults must be name=probability, joined by commas, not "lost""#),
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
