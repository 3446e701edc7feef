use std::time::{Duration, SystemTime};

/// The service's time of day, learnt from its refusals.
///
/// A correction holds for all requests that are signed after it: their generation. A refusal of an older generation says
/// nothing new; one of the newest, before any success under it, says that there is nothing to learn.
#[derive(Debug, Default)]
pub(super) struct Clock {
    /// The service's time less ours.
    ahead: Duration,
    behind: Duration,
    generation: u32,
    is_proven: bool,
}

/// What to make of a refusal because of the date.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Correction {
    /// Sign again: the time is known better now.
    Known,
    /// The answer's time was of no help before, or it has none.
    Useless,
}

impl Clock {
    pub(super) fn generation(&self) -> u32 {
        self.generation
    }

    pub(super) fn service_time(&self, wall: SystemTime) -> SystemTime {
        wall.checked_add(self.ahead).and_then(|wall| wall.checked_sub(self.behind)).unwrap_or(wall)
    }

    pub(super) fn succeeded(&mut self, generation: u32) {
        self.is_proven |= generation == self.generation;
    }

    /// Learns the time anew from the next refusal.
    pub(super) fn restart(&mut self) {
        self.is_proven = true;
    }

    /// A request signed under `generation` was refused for its date, at our time `wall` and the service's time `date`.
    pub(super) fn refused(
        &mut self,
        generation: u32,
        wall: SystemTime,
        date: Option<SystemTime>,
    ) -> Correction {
        if generation != self.generation {
            return Correction::Known;
        }
        match date {
            Some(date) if self.generation == 0 || self.is_proven => {
                self.ahead = date.duration_since(wall).unwrap_or_default();
                self.behind = wall.duration_since(date).unwrap_or_default();
                self.generation += 1;
                self.is_proven = false;
                Correction::Known
            }
            _ => Correction::Useless,
        }
    }
}
