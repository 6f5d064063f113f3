//! Disks that are full and disks that fail: a small file system, and a shim before libc.

use std::fs::{File, remove_file};
use std::io::{ErrorKind, Write as _};
use std::path::{Path, PathBuf};

use anyhow::{Result, bail};
use rustix::fs::statvfs;
use rustix::mount::{MountFlags, UnmountFlags, mount, unmount};

use crate::shim;

/// Set by who runs the tests where nobody may mount, and knows that the stories of full disks are then not told.
const MAY_NOT_MOUNT: &str = "CONNECT_TESTS_MAY_NOT_MOUNT";
const BALLAST: &str = "ballast";

/// A file system of its own over a directory, which is gone with it.
#[derive(Debug)]
pub struct SmallDisk(PathBuf);

impl SmallDisk {
    /// None where mounting is not permitted, and whoever runs the tests has said so; otherwise that is a failure.
    pub fn mount(over: &Path, bytes: u64) -> Result<Option<Self>> {
        std::fs::create_dir_all(over)?;
        let options = std::ffi::CString::new(format!("size={bytes},mode=0700"))?;
        let mounted = mount(
            "tmpfs",
            over,
            "tmpfs",
            MountFlags::empty(),
            options.as_c_str(),
        );
        match mounted {
            Ok(()) => Ok(Some(Self(over.to_owned()))),
            Err(_) if std::env::var_os(MAY_NOT_MOUNT).is_some() => {
                Self::skip();
                Ok(None)
            }
            Err(error) => bail!(
                "a small file system cannot be mounted ({error}): run the tests as root, or set {MAY_NOT_MOUNT}=1 \
                 to go without full disks"
            ),
        }
    }

    fn skip() {
        let line = "\nNOT TESTED: full disks, since nothing may be mounted here\n";
        std::io::stderr().write_all(line.as_bytes()).ok();
    }

    /// Takes as much of the space as that.
    pub fn occupy(&self, bytes: usize) -> Result<()> {
        Ok(std::fs::write(self.0.join(BALLAST), vec![0; bytes])?)
    }

    /// Takes all the space that there is, but so much.
    pub fn fill_but(&self, bytes: u64) -> Result<()> {
        let mut ballast = File::options()
            .create(true)
            .append(true)
            .open(self.0.join(BALLAST))?;
        loop {
            if bytes > 0 && self.left()? <= bytes {
                return Ok(());
            }
            match ballast.write(&[0; 4096]) {
                Ok(_) => {}
                Err(error) if error.kind() == ErrorKind::StorageFull => return Ok(()),
                Err(error) => return Err(error.into()),
            }
        }
    }

    pub fn left(&self) -> Result<u64> {
        let left = statvfs(&self.0)?;
        Ok(left.f_bavail * left.f_frsize)
    }

    /// Gives back what was taken.
    pub fn free(&self) -> Result<()> {
        Ok(remove_file(self.0.join(BALLAST))?)
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        unmount(&self.0, UnmountFlags::DETACH).ok();
    }
}

/// A disk that fails when it is told to, for the processes that are started with its environment.
#[derive(Debug)]
pub struct FailingDisk {
    shim: PathBuf,
    dir: PathBuf,
    below: PathBuf,
}

impl FailingDisk {
    /// Compiles the shim into `dir`. What lies below `below` fails.
    pub fn new(dir: &Path, below: &Path) -> Result<Self> {
        Ok(Self {
            shim: shim::compile("eio", dir)?,
            dir: dir.to_owned(),
            below: below.to_owned(),
        })
    }

    pub fn environment(&self) -> Vec<(&'static str, PathBuf)> {
        vec![
            ("LD_PRELOAD", self.shim.clone()),
            ("CONNECT_EIO_BELOW", self.below.clone()),
            ("CONNECT_EIO_SYNC", self.switch("sync")),
            ("CONNECT_EIO_WRITE", self.switch("write")),
        ]
    }

    pub fn fail_syncs(&self) -> Result<()> {
        Ok(std::fs::write(self.switch("sync"), "")?)
    }

    pub fn fail_writes(&self) -> Result<()> {
        Ok(std::fs::write(self.switch("write"), "")?)
    }

    pub fn work(&self) {
        for what in ["sync", "write"] {
            remove_file(self.switch(what)).ok();
        }
    }

    fn switch(&self, what: &str) -> PathBuf {
        self.dir.join(format!("fail-{what}"))
    }
}
