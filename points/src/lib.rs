//! Fail points: places before and after each durable step where a test makes the process end, fail or wait.
//!
//! They are armed by the environment variable `FAILPOINTS`, and only in a build with the feature `armed`, which nothing that
//! is shipped has. Otherwise passing one is nothing at all.

#[cfg(feature = "armed")]
mod armed;

#[cfg(feature = "armed")]
use armed::obey;

/// Whether this build obeys.
pub const ARMED: bool = cfg!(feature = "armed");

/// What passes a point.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Side {
    /// A daemon at work.
    Daemon,
    /// A daemon that enrolls.
    Enrollment,
    /// A daemon that puts new keys in force.
    Rotation,
    Relay,
}

/// What a point can be told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Action {
    /// The process ends at once.
    Abort,
    /// The step fails, as a disk or a network does.
    Fail,
    /// The step takes a moment longer, and everything else goes on.
    Wait,
}

impl Action {
    /// As in `FAILPOINTS=point=1*return(word)`.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Abort => "abort",
            Self::Fail => "fail",
            Self::Wait => "wait",
        }
    }
}

/// What cannot be undone once it is done has nothing to fail with: no disk says no after a commit.
const MAY_FAIL: &[Action] = &[Action::Abort, Action::Fail, Action::Wait];
const IS_DONE: &[Action] = &[Action::Abort, Action::Wait];

macro_rules! points {
    ($($(#[$doc:meta])* $point:ident: $side:ident, $actions:ident;)*) => {
        /// A place beside a durable step.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
        pub enum Point {
            $($(#[$doc])* $point,)*
        }

        impl Point {
            pub const ALL: &[Self] = &[$(Self::$point,)*];

            /// As in `FAILPOINTS=name=…`.
            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$point => stringify!($point),)*
                }
            }

            pub const fn side(self) -> Side {
                match self {
                    $(Self::$point => Side::$side,)*
                }
            }

            pub const fn actions(self) -> &'static [Action] {
                match self {
                    $(Self::$point => $actions,)*
                }
            }
        }
    };
}

points! {
    /// Everything of a transaction is written, nothing is durable.
    BeforeCommit: Daemon, MAY_FAIL;
    /// It is durable, and nobody was told.
    AfterCommit: Daemon, IS_DONE;
    /// A page came from the relay, and nothing was done with it.
    BeforePage: Daemon, MAY_FAIL;
    /// A page is durable, and the relay does not know.
    AfterPageBeforeAck: Daemon, MAY_FAIL;
    /// A message of ours is durable, and its sender was not answered.
    AfterSendBeforeAnswer: Daemon, MAY_FAIL;
    /// An envelope is about to go to the relay.
    BeforePost: Daemon, MAY_FAIL;
    /// The relay took it, and nothing here says so.
    AfterPostBeforeSettle: Daemon, MAY_FAIL;
    /// The new content of a file is durable beside the old one.
    BeforeRename: Daemon, MAY_FAIL;
    /// It has taken the old one's place, which may not be durable.
    AfterRename: Daemon, MAY_FAIL;
    /// The keys are durable, and the relay knows of none.
    BeforeEnroll: Enrollment, MAY_FAIL;
    /// The relay knows the keys, and there is no account yet.
    AfterEnrollBeforeAccount: Enrollment, MAY_FAIL;
    /// The account is durable, and not in its place.
    BeforeAccountRename: Enrollment, MAY_FAIL;
    /// It is in its place, and no session was opened.
    AfterAccountRename: Enrollment, MAY_FAIL;
    /// New keys are durable, and no bundle that would publish them.
    BeforeRotationBundle: Rotation, MAY_FAIL;
    /// The bundle is durable, and the relay does not know of it.
    BeforeRotate: Rotation, MAY_FAIL;
    /// The relay has the new keys in force, and nothing here says so.
    AfterRotateBeforeVault: Rotation, MAY_FAIL;
    /// The vault has them in force, and the database does not.
    AfterVaultBeforeAccount: Rotation, MAY_FAIL;
    /// As with a daemon, for a whole group of changes.
    RelayBeforeCommit: Relay, MAY_FAIL;
    RelayAfterCommit: Relay, IS_DONE;
    /// An envelope is in its mailbox, and its sender was not answered.
    RelayAfterSendBeforeAnswer: Relay, MAY_FAIL;
    /// What was acknowledged is gone, what is new was not handed out.
    RelayAfterAckBeforePage: Relay, MAY_FAIL;
}

/// A point that was told to fail.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Failed(pub Point);

impl std::fmt::Display for Failed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "told to fail at {}", self.0.name())
    }
}

impl std::error::Error for Failed {}

/// Reads `FAILPOINTS`, once, where this build obeys.
pub fn set_up() {
    #[cfg(feature = "armed")]
    armed::set_up();
}

/// Does as it was told, and otherwise nothing.
#[cfg(feature = "armed")]
pub fn pass(point: Point) -> Result<(), Failed> {
    obey(point)
}

/// Does nothing: this build obeys nobody.
#[cfg(not(feature = "armed"))]
#[inline]
pub const fn pass(_: Point) -> Result<(), Failed> {
    Ok(())
}

/// A point whose step is done: it cannot fail any more.
#[inline]
pub fn pass_done(point: Point) {
    let _ = pass(point);
}
