//! What opening the keys depends on.

use connect_vault::attempts::host_boot_time;
use connect_vault::vault::{KdfCost, Vault};

use super::Check;
use crate::config::Config;

/// Where an account that is enrolled has its keys.
const ACCOUNT: &str = "account";

pub(super) fn checks(config: &Config) -> Vec<Check> {
    let mut checks = vec![keystore(config), boot_clock()];
    #[cfg(target_os = "linux")]
    if config.session.presence_ms.is_some() {
        checks.push(presence());
    }
    checks
}

/// Whether `session.uncover` could ask.
#[cfg(target_os = "linux")]
fn presence() -> Check {
    const NAME: &str = "presence";
    const ADVICE: &str = "install polkit, and packaging/polkit/org.connectd.policy in /usr/share/polkit-1/actions: \
         until then the PIN alone lifts a cover";
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    let tried = match runtime {
        Ok(runtime) => runtime
            .block_on(crate::presence::try_it())
            .map_err(|error| error.to_string()),
        Err(error) => Err(error.to_string()),
    };
    match tried {
        Ok(()) => Check::ok(NAME, "polkit answers and knows the action"),
        Err(error) => Check::warn(NAME, error, ADVICE),
    }
}

fn keystore(config: &Config) -> Check {
    const NAME: &str = "keystore";
    let kind = config.keystore.kind();
    let vault = Vault::new(
        &config.state_dir.join(ACCOUNT),
        config.keystore.clone(),
        KdfCost::production(),
    );
    let is_there = match vault.look() {
        Ok(is_there) => is_there,
        Err(error) => {
            const ADVICE: &str = "run this as the daemon's user; where the keys are damaged, bring account/keys.sealed back from a backup";
            return Check::fail(NAME, error.to_string(), ADVICE);
        }
    };
    let tried = if is_there {
        vault.check_keystore()
    } else {
        config.keystore.check_given()
    };
    let place = config.state_dir.display();
    match tried {
        Ok(()) if is_there => Check::ok(
            NAME,
            format!("{kind}: it has what opens the keys in {place}"),
        ),
        Ok(()) => Check::warn(
            NAME,
            format!("{kind}: nothing is enrolled in {place}"),
            "if an account is elsewhere, name its place: --state-dir, --config",
        ),
        Err(error) => Check::fail(NAME, kind.to_string(), error.to_string()),
    }
}

fn boot_clock() -> Check {
    const NAME: &str = "boot_clock";
    match host_boot_time() {
        Ok(_) => Check::ok(NAME, "readable"),
        Err(error) => Check::fail(
            NAME,
            error.to_string(),
            "without it no attempt to unlock is counted, and none is made: let the process read \
             /proc/sys/kernel/random/boot_id",
        ),
    }
}
