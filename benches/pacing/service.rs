//! The limits of the simulated service.

/// Limits that no client knows. [`f64::INFINITY`] means no limit.
#[derive(Clone, Copy)]
pub(crate) struct Limits {
    pub(crate) requests: Bucket,
    pub(crate) keys: Bucket,
    /// Keys of requests that are inside at the same time.
    pub(crate) keys_in_flight: f64,
    /// Seconds that a request is inside, 20 % up or down.
    pub(crate) service_time: f64,
}

/// So much a second, and `depth` of it at once after a pause.
#[derive(Clone, Copy)]
pub(crate) struct Bucket {
    pub(crate) rate: f64,
    pub(crate) depth: f64,
}

impl Bucket {
    pub(crate) const NONE: Self = Self { rate: f64::INFINITY, depth: f64::INFINITY };

    pub(crate) fn new(rate: f64, depth: f64) -> Self {
        Self { rate, depth }
    }
}

impl Limits {
    pub(crate) const NONE: Self = Self {
        requests: Bucket::NONE,
        keys: Bucket::NONE,
        keys_in_flight: f64::INFINITY,
        service_time: 0.0,
    };

    pub(crate) fn ideal(&self, requests: f64, keys: f64) -> f64 {
        let time = |amount: f64, bucket: Bucket| {
            if bucket.rate.is_finite() { (amount - bucket.depth) / bucket.rate } else { 0.0 }
        };
        let inside = keys * self.service_time / self.keys_in_flight;
        time(requests, self.requests).max(time(keys, self.keys)).max(inside)
    }

    /// Seconds from one batch of so many keys to the next.
    pub(crate) fn ideal_interval(&self, keys: usize) -> f64 {
        (1.0 / self.requests.rate).max(keys as f64 / self.keys.rate)
    }
}

pub(crate) struct Service {
    limits: Limits,
    requests: f64,
    keys: f64,
    filled_at: f64,
    inside: usize,
}

impl Service {
    pub(crate) fn new(limits: Limits) -> Self {
        Self {
            limits,
            requests: limits.requests.depth,
            keys: limits.keys.depth,
            filled_at: 0.0,
            inside: 0,
        }
    }

    pub(crate) fn limits(&self) -> Limits {
        self.limits
    }

    /// Whether a request is let in; it takes from both buckets or from none.
    pub(crate) fn admits(&mut self, time: f64, keys: usize) -> bool {
        self.fill(time);
        let amount = keys as f64;
        let is_admitted = self.requests >= 1.0
            && self.keys >= amount
            && (self.inside + keys) as f64 <= self.limits.keys_in_flight;
        if is_admitted {
            self.requests -= 1.0;
            self.keys -= amount;
            self.inside += keys;
        }
        is_admitted
    }

    /// Seconds until the last of `batches` is let in, each as early as both buckets allow.
    pub(crate) fn one_after_the_other(mut self, batches: &[usize]) -> f64 {
        self.limits.keys_in_flight = f64::INFINITY;
        let mut time = 0.0;
        for &keys in batches {
            let wait = |missing: f64, rate: f64| if missing > 0.0 { missing / rate } else { 0.0 };
            self.fill(time);
            let requests = wait(1.0 - self.requests, self.limits.requests.rate);
            time += wait(keys as f64 - self.keys, self.limits.keys.rate).max(requests) + 1e-9;
            self.admits(time, keys);
        }
        time
    }

    pub(crate) fn leave(&mut self, keys: usize) {
        self.inside -= keys;
    }

    /// Multiplies both rates and depths.
    pub(crate) fn scale(&mut self, time: f64, factor: f64) {
        self.fill(time);
        for bucket in [&mut self.limits.requests, &mut self.limits.keys] {
            *bucket = Bucket::new(bucket.rate * factor, bucket.depth * factor);
        }
    }

    fn fill(&mut self, time: f64) {
        let passed = time - self.filled_at;
        let fill = |tokens: f64, bucket: Bucket| match bucket.rate {
            f64::INFINITY => f64::INFINITY,
            rate => (tokens + passed * rate).min(bucket.depth),
        };
        (self.requests, self.keys) =
            (fill(self.requests, self.limits.requests), fill(self.keys, self.limits.keys));
        self.filled_at = time;
    }
}
