//! Every fail point beside a durable step, told to end, to fail and to wait: no message suffers, and no account.

use anyhow::Result;

#[cfg(feature = "failpoints")]
#[path = "fail_points/met.rs"]
mod met;

/// What reads the variable is in an armed build alone.
#[test]
fn only_an_armed_build_can_be_told_to_fail() -> Result<()> {
    for name in ["connectd", "connect-relay"] {
        let program = std::fs::read(connect_tests::binaries::path(name)?)?;
        let reads_it = program
            .windows(b"FAILPOINTS".len())
            .any(|bytes| bytes == b"FAILPOINTS");
        assert_eq!(reads_it, connect_points::ARMED, "{name}");
    }
    Ok(())
}
