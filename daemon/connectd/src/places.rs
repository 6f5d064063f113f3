//! Where things lie when nobody says: systemd's directories, then the system's, then the user's (XDG).

use std::env;
use std::path::PathBuf;

use connect_ipc::endpoint::Endpoint;
use connect_ipc::socket::own_uid;
use directories::ProjectDirs;

const ROOT: u32 = 0;

fn from_env(name: &str) -> Option<PathBuf> {
    // systemd separates several directories by colons: the first one is ours.
    let value = env::var_os(name)?;
    env::split_paths(&value)
        .next()
        .filter(|path| path.is_absolute())
}

/// What a service manager says about the keystore.
#[derive(Debug, Default, Clone)]
pub struct Service {
    /// `$CONNECTD_KEYSTORE`: the kind where the configuration names none.
    pub keystore: Option<String>,
    /// `$CREDENTIALS_DIRECTORY`.
    pub credentials: Option<PathBuf>,
}

pub fn service() -> Service {
    Service {
        keystore: env::var("CONNECTD_KEYSTORE").ok(),
        credentials: from_env("CREDENTIALS_DIRECTORY"),
    }
}

fn project() -> Option<ProjectDirs> {
    ProjectDirs::from("", "", "connectd")
}

/// `$STATE_DIRECTORY`, `/var/lib/connectd`, or the user's state directory.
pub fn state_dir() -> Option<PathBuf> {
    from_env("STATE_DIRECTORY").or_else(|| {
        if own_uid() == ROOT {
            return Some(PathBuf::from("/var/lib/connectd"));
        }
        let project = project()?;
        let dir = project
            .state_dir()
            .unwrap_or_else(|| project.data_local_dir());
        Some(dir.to_owned())
    })
}

/// `$RUNTIME_DIRECTORY`, `/run/connectd`, or the user's runtime directory.
pub fn endpoint() -> Option<Endpoint> {
    if let Some(dir) = from_env("RUNTIME_DIRECTORY") {
        return Some(Endpoint::new(dir.join("connectd.sock")));
    }
    if own_uid() == ROOT {
        return Some(Endpoint::default_for_service());
    }
    Endpoint::default_for_user()
}

/// `$CONFIGURATION_DIRECTORY`, `/etc/connectd`, or the user's configuration directory; the file need not exist.
pub fn config_file() -> Option<PathBuf> {
    let dir = from_env("CONFIGURATION_DIRECTORY").or_else(|| {
        if own_uid() == ROOT {
            return Some(PathBuf::from("/etc/connectd"));
        }
        Some(project()?.config_dir().to_owned())
    })?;
    Some(dir.join("connectd.toml"))
}
