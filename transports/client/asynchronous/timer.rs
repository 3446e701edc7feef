use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use crate::Now;
use crate::transports::clock::system_now;

/// Clock and timer of [`run_async`](crate::transports::Run#method.run_async), in one value so that
/// they agree.
///
/// Any function that sleeps will do, such as `tokio::time::sleep`: then the clock is the system's.
/// For a test in virtual time implement both, since a run whose `sleep` takes no real time would
/// spin until the system's clock has caught up:
///
/// ```
/// use std::time::{Duration, SystemTime};
/// use oss_delete_vectors::transports::{Run, Timer, stream_iter};
/// use oss_delete_vectors::{Credentials, Deleted, Now, ServiceError, Target, code};
/// # use oss_delete_vectors::bulk::{BulkDelete, BulkOptions};
/// # use oss_delete_vectors::TransportError;
/// use tokio::time::{Instant, Sleep, sleep};
///
/// /// The time of tokio, which a test can pause.
/// struct TokioTime(Instant);
///
/// impl Timer for TokioTime {
///     type Sleep = Sleep;
///
///     fn sleep(&self, duration: Duration) -> Sleep {
///         sleep(duration)
///     }
///
///     fn now(&self) -> Now {
///         Now::new(self.0.elapsed(), SystemTime::now())
///     }
/// }
///
/// # #[tokio::main(flavor = "current_thread", start_paused = true)]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let target = Target::builder().region("cn-hangzhou").account_id("1234567890123456")
/// #     .bucket("examplebucket").index_name("vectorindex1").build()?;
/// # let credentials = Credentials::new("LTAI5tExample", "my-secret")?;
/// # let mut bulk = BulkDelete::new(&target, credentials, BulkOptions::new())?;
/// let start = Instant::now();
/// let send = async |_request| {
///     // Throttles every request for half a minute.
///     let is_early = start.elapsed() < Duration::from_secs(30);
///     Ok::<_, TransportError>(if is_early {
///         let status = http::StatusCode::SERVICE_UNAVAILABLE;
///         ServiceError::new(status, code::SLOW_DOWN, "too fast").to_response()
///     } else {
///         Deleted::new("some id").to_response()
///     })
/// };
/// let keys = stream_iter(["doc-001"]);
/// let report = Run::new(&mut bulk).run_async(keys, send, TokioTime(start)).await?;
/// assert!(report.is_all_deleted() && start.elapsed() >= Duration::from_secs(30));
/// # Ok(())
/// # }
/// ```
pub trait Timer {
    /// The future of [`sleep`](Self::sleep). Its output is ignored.
    type Sleep: Future;

    /// Waits for `duration`, at most an hour.
    fn sleep(&self, duration: Duration) -> Self::Sleep;

    /// The time now: the system's clocks by default. Monotonic time must go on from one run of a
    /// `BulkDelete` to its next.
    fn now(&self) -> Now {
        system_now()
    }
}

impl<F: Fn(Duration) -> S, S: Future> Timer for F {
    type Sleep = S;

    fn sleep(&self, duration: Duration) -> S {
        self(duration)
    }
}

/// One sleep at a time, set to the earliest deadline.
pub(in crate::transports) struct Alarm<T: Timer> {
    timer: T,
    set: Option<(Duration, Pin<Box<T::Sleep>>)>,
}

impl<T: Timer> Alarm<T> {
    pub(in crate::transports) fn new(timer: T) -> Self {
        Self { timer, set: None }
    }

    pub(in crate::transports) fn now(&self) -> Now {
        self.timer.now()
    }

    /// Whether `wait` is over or a sleep has ended. If neither, the task is woken in time.
    ///
    /// A sleep that ends before the deadline stays set: a spurious wakeup costs less than a new
    /// sleep each time that the deadline moves away.
    pub(in crate::transports) fn poll(
        &mut self,
        context: &mut Context<'_>,
        now: Duration,
        wait: Duration,
    ) -> bool {
        if wait.is_zero() {
            return true;
        }
        let deadline = now.saturating_add(wait);
        let (_, sleep) = match &mut self.set {
            Some(set) if set.0 <= deadline => set,
            set => set.insert((deadline, Box::pin(self.timer.sleep(wait)))),
        };
        let has_ended = matches!(sleep.as_mut().poll(context), Poll::Ready(_));
        if has_ended {
            self.set = None;
        }
        has_ended
    }
}
