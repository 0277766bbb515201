//! Tasks as they come.

use super::SLOTS;

/// A task.
#[derive(Clone, Copy)]
pub struct Task {
    /// When it comes, in seconds.
    pub at: f64,
    /// How long a slot is busy with it.
    pub takes: f64,
}

/// How tasks come. Amounts are in pods that are busy all the time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pattern {
    /// Three, always.
    Steady,
    /// One; for ten minutes eight; one.
    Step,
    /// One half, and every six minutes what five pods do in a minute, all at once.
    Burst,
    /// From one half to eight and back, within an hour.
    Day,
    /// One half for a minute, then nothing for fourteen.
    Trickle,
    /// Nothing for ten minutes, then four.
    FromZero,
}

impl Pattern {
    pub const ALL: [Self; 6] = [Self::Steady, Self::Step, Self::Burst, Self::Day, Self::Trickle, Self::FromZero];

    pub const fn name(self) -> &'static str {
        match self {
            Self::Steady => "steady",
            Self::Step => "step",
            Self::Burst => "bursts",
            Self::Day => "day",
            Self::Trickle => "trickle",
            Self::FromZero => "from zero",
        }
    }

    /// Whether the fewest pods are none.
    pub const fn sleeps(self) -> bool {
        matches!(self, Self::Trickle | Self::FromZero)
    }

    const fn seconds(self) -> u32 {
        match self {
            Self::Steady | Self::FromZero => 1800,
            Self::Step | Self::Burst => 2400,
            Self::Day | Self::Trickle => 3600,
        }
    }

    fn pods(self, second: u32) -> f64 {
        match self {
            Self::Steady => 3.0,
            Self::Step => {
                if (613..1213).contains(&second) {
                    8.0
                } else {
                    1.0
                }
            }
            Self::Burst => 0.5,
            Self::Day => {
                let turn = f64::from(second) / f64::from(self.seconds()) * std::f64::consts::TAU;
                0.5 + 3.75 * (1.0 - turn.cos())
            }
            Self::Trickle => {
                if (second + 887) % 900 < 60 {
                    0.5
                } else {
                    0.0
                }
            }
            Self::FromZero => {
                if second < 613 {
                    0.0
                } else {
                    4.0
                }
            }
        }
    }

    /// Pods times seconds that come at once.
    fn at_once(self, second: u32) -> f64 {
        if self == Self::Burst && second % 360 == 187 { 300.0 } else { 0.0 }
    }
}

/// Tasks of one length that come in one way.
#[derive(Clone, Copy)]
pub struct Load {
    pub pattern: Pattern,
    /// Mean of what a task takes, in seconds; each from half to one and a half of it.
    pub takes: f64,
    pub seconds: u32,
}

impl Load {
    pub const fn new(pattern: Pattern, takes: f64) -> Self {
        Self { pattern, takes, seconds: pattern.seconds() }
    }

    /// All tasks, the first first. They come independently of each other.
    pub fn tasks(&self, seed: u64) -> Vec<Task> {
        let mut random = fastrand::Rng::with_seed(seed ^ 0x7a5c);
        let rate = |pods: f64| pods * SLOTS as f64 / self.takes;
        let mut tasks = Vec::new();
        for second in 0..self.seconds {
            let mut times = Vec::new();
            let rate_now = rate(self.pattern.pods(second));
            let mut at = 0.0;
            loop {
                at -= random.f64().max(1e-12).ln() / rate_now.max(1e-9);
                if at >= 1.0 {
                    break;
                }
                times.push(at);
            }
            let at_once = rate(self.pattern.at_once(second)).round() as usize;
            times.extend(std::iter::repeat_n(0.999, at_once));
            for at in times {
                tasks.push(Task { at: f64::from(second) + at, takes: self.takes * (0.5 + random.f64()) });
            }
        }
        tasks
    }
}
