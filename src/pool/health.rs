//! The rise/fall tracker: turns what one check after the other saw of a server into "may get requests" or not.
//!
//! It must never guess: a server that has not been seen gets no requests. The desk drives it, one tracker a server.
//!
//! The first observation decides at once, so that a start is quick. After that it takes `fall` failures in a row to
//! take a server out and `rise` successes in a row to bring it back, so that one lost packet changes nothing.
//! With a check every `interval`, a dead server is out within `fall × interval + timeout`: it may die right after
//! a check passed, and the last of the `fall` checks that follow may use its whole timeout.

/// What one check saw.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Observation {
    /// The server answered as expected.
    Pass,
    /// It did not.
    Fail,
}

/// A server came into rotation or went out of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// May get requests from now on.
    Up,
    /// Gets no requests from now on.
    Down,
}

/// What is known of a server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// Not checked yet; gets no requests.
    Checking,
    /// Has no checks: taken to be up.
    Unchecked,
    /// In rotation.
    Up,
    /// Out of rotation.
    Down,
}

/// What the last observations say of a server's standing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trend {
    /// It is up, or not known, and nothing speaks against it.
    Steady,
    /// Some of the observations in a row that would change it have been seen, but not all.
    Changing,
    /// It is down and stays so.
    Down,
}

/// The tracker of one server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Health {
    rise: u32,
    fall: u32,
    state: State,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum State {
    Checking,
    Unchecked,
    Up { failures: u32 },
    Down { passes: u32 },
}

impl Health {
    /// A server that has not been checked yet. `rise` passes in a row bring it back, `fall` failures in a row take
    /// it out; 0 is taken as 1.
    pub fn new(rise: u32, fall: u32) -> Self {
        Self { rise: rise.max(1), fall: fall.max(1), state: State::Checking }
    }

    /// A server without checks: in rotation for good, whatever is observed.
    pub const fn unchecked() -> Self {
        Self { rise: 1, fall: 1, state: State::Unchecked }
    }

    /// Takes one observation in; says whether the server came into rotation or went out of it.
    pub fn handle(&mut self, seen: Observation) -> Option<Change> {
        let (next, change) = match (&self.state, seen) {
            (State::Unchecked, _) => (State::Unchecked, None),
            (State::Checking, Observation::Pass) => (State::Up { failures: 0 }, Some(Change::Up)),
            (State::Checking, Observation::Fail) => (State::Down { passes: 0 }, Some(Change::Down)),
            (State::Up { .. }, Observation::Pass) => (State::Up { failures: 0 }, None),
            (State::Up { failures }, Observation::Fail) if failures + 1 >= self.fall => {
                (State::Down { passes: 0 }, Some(Change::Down))
            }
            (State::Up { failures }, Observation::Fail) => (State::Up { failures: failures + 1 }, None),
            (State::Down { .. }, Observation::Fail) => (State::Down { passes: 0 }, None),
            (State::Down { passes }, Observation::Pass) if passes + 1 >= self.rise => {
                (State::Up { failures: 0 }, Some(Change::Up))
            }
            (State::Down { passes }, Observation::Pass) => (State::Down { passes: passes + 1 }, None),
        };
        self.state = next;
        change
    }

    /// What is known of the server.
    pub const fn standing(&self) -> Standing {
        match self.state {
            State::Checking => Standing::Checking,
            State::Unchecked => Standing::Unchecked,
            State::Up { .. } => Standing::Up,
            State::Down { .. } => Standing::Down,
        }
    }

    /// What the last observations say.
    pub const fn trend(&self) -> Trend {
        match self.state {
            State::Checking | State::Unchecked | State::Up { failures: 0 } => Trend::Steady,
            State::Up { .. } => Trend::Changing,
            State::Down { passes: 0 } => Trend::Down,
            State::Down { .. } => Trend::Changing,
        }
    }

    /// Whether the server may get requests.
    pub const fn eligible(&self) -> bool {
        matches!(self.state, State::Up { .. } | State::Unchecked)
    }
}

#[cfg(test)]
mod tests;
