//! The open folder: every name is resolved from here. All functions wait for
//! the disk and belong on a blocking thread.

use std::fs::File;
use std::io::{self, Write};
use std::os::fd::OwnedFd;
use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use rustix::fs::{AtFlags, CWD, Dir, Mode, OFlags, fsync, mkdirat, openat, renameat, unlinkat};
use rustix::io::Errno;
use uuid::Uuid;

use crate::foreground::Foreground;
use crate::key::ObjectKey;

const INCOMING: &str = ".incoming";
const SUFFIX: &str = ".part";

const FOLDER: OFlags = OFlags::DIRECTORY
    .union(OFlags::RDONLY)
    .union(OFlags::CLOEXEC);
const NEW_FILE: OFlags = OFlags::WRONLY
    .union(OFlags::CREATE)
    .union(OFlags::EXCL)
    .union(OFlags::CLOEXEC);
const OLD_FILE: OFlags = OFlags::RDONLY
    .union(OFlags::CLOEXEC)
    // A pipe in the place of a file would otherwise hold up whoever opens it.
    .union(OFlags::NONBLOCK);

/// Past the page cache.
#[cfg(target_os = "linux")]
const DIRECT: OFlags = OFlags::DIRECT;
#[cfg(not(target_os = "linux"))]
const DIRECT: OFlags = OFlags::empty();

/// What is written at once while somebody waits.
const SMALL_PIECE_BYTES: usize = 64 * 1024;
/// So many times the time of a piece the disk is left to the foreground after it.
const RESTS: u32 = 3;
/// A disk that takes its time must not bring uploads to a standstill.
const MAX_REST: Duration = Duration::from_millis(20);

/// Nobody but the owner and its group has any business here.
const FOLDER_MODE: Mode = Mode::RWXU.union(Mode::RGRP).union(Mode::XGRP);
const FILE_MODE: Mode = Mode::RUSR.union(Mode::WUSR).union(Mode::RGRP);

/// The folder of a store. It stays the same folder if its path changes.
#[derive(Debug)]
pub(super) struct Folder {
    root: OwnedFd,
    incoming: OwnedFd,
    writing: Mutex<()>,
    foreground: Foreground,
}

impl Folder {
    pub(super) fn open(path: &Path, foreground: Foreground) -> io::Result<Self> {
        std::fs::create_dir_all(path)?;
        // The folder itself may be reached through links; it is the operator's.
        let root = openat(CWD, path, FOLDER, Mode::empty())?;
        let incoming = make_folder(&root, INCOMING)?;
        Ok(Self {
            root,
            incoming,
            writing: Mutex::new(()),
            foreground,
        })
    }

    /// Removes what writers of an earlier process have left; gives the number.
    pub(super) fn remove_leftovers(&self) -> io::Result<usize> {
        let mut removed = 0;
        for name in names(&self.incoming)? {
            if is_incoming(&name) {
                unlinkat(&self.incoming, &name, AtFlags::empty())?;
                removed += 1;
            }
        }
        Ok(removed)
    }

    /// Whether files can be made here.
    pub(super) fn check(&self) -> io::Result<()> {
        let (_, name) = self.create_incoming()?;
        self.remove_incoming(&name)
    }

    /// An empty file and its name in `.incoming`.
    pub(super) fn create_incoming(&self) -> io::Result<(File, String)> {
        let name = format!("{}{SUFFIX}", Uuid::new_v4());
        let flags = nofollow(NEW_FILE);
        let file = match openat(&self.incoming, &name, flags | DIRECT, FILE_MODE) {
            // Not every file system can; some have made the file before they say so.
            Err(Errno::INVAL) => {
                let _ = unlinkat(&self.incoming, &name, AtFlags::empty());
                openat(&self.incoming, &name, flags, FILE_MODE)?
            }
            opened => opened?,
        };
        Ok((File::from(file), name))
    }

    /// Writes while no other upload does. While somebody in the foreground needs the
    /// disk, it is written in small pieces, each followed by a rest of all uploads.
    pub(super) fn write(&self, mut file: &File, mut bytes: &[u8]) -> io::Result<()> {
        while !bytes.is_empty() {
            let _turn = self.writing_turn();
            let gives_way = self.foreground.is_active();
            let length = if gives_way {
                bytes.len().min(SMALL_PIECE_BYTES)
            } else {
                bytes.len()
            };
            let (piece, rest) = bytes.split_at(length);
            let begin = Instant::now();
            file.write_all(piece)?;
            bytes = rest;
            if gives_way {
                thread::sleep((begin.elapsed() * RESTS).min(MAX_REST));
            }
        }
        Ok(())
    }

    /// Held by whoever writes to the disk.
    pub(super) fn writing_turn(&self) -> MutexGuard<'_, ()> {
        self.writing.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn remove_incoming(&self, name: &str) -> io::Result<()> {
        Ok(unlinkat(&self.incoming, name, AtFlags::empty())?)
    }

    /// Moves a finished file to its place; gives the folder of that place,
    /// which has to be synchronised for the move to be durable.
    pub(super) fn publish(&self, name: &str, key: &ObjectKey) -> io::Result<OwnedFd> {
        let mut folder = self.root.try_clone()?;
        for part in key.folders() {
            folder = make_folder(&folder, part)?;
        }
        renameat(&self.incoming, name, &folder, key.file_name())?;
        Ok(folder)
    }

    pub(super) fn open_file(&self, key: &ObjectKey) -> io::Result<File> {
        let folder = self.day(key)?;
        let flags = nofollow(OLD_FILE);
        let opened = openat(&folder, key.file_name(), flags, Mode::empty());
        let file = File::from(opened.map_err(|error| not_found(error.into()))?);
        if file.metadata()?.is_file() {
            Ok(file)
        } else {
            Err(io::ErrorKind::NotFound.into())
        }
    }

    /// Removes a file; one that is not there is fine.
    pub(super) fn delete(&self, key: &ObjectKey) -> io::Result<()> {
        let removed = self.day(key).and_then(|folder| {
            unlinkat(&folder, key.file_name(), AtFlags::empty())?;
            Ok(fsync(&folder)?)
        });
        match removed {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            other => other,
        }
    }

    fn day(&self, key: &ObjectKey) -> io::Result<OwnedFd> {
        let mut folder = self.root.try_clone()?;
        for part in key.folders() {
            let opened = openat(&folder, part, nofollow(FOLDER), Mode::empty());
            folder = opened.map_err(|error| not_found(error.into()))?;
        }
        Ok(folder)
    }
}

fn not_found(error: io::Error) -> io::Error {
    if is_absent(&error) {
        io::ErrorKind::NotFound.into()
    } else {
        error
    }
}

/// A link, or something else in the place of a folder or file, counts as nothing.
fn is_absent(error: &io::Error) -> bool {
    let absent = [Errno::NOENT, Errno::NOTDIR, Errno::LOOP, Errno::NXIO];
    let code = error.raw_os_error();
    absent
        .iter()
        .any(|errno| code == Some(errno.raw_os_error()))
}

fn nofollow(flags: OFlags) -> OFlags {
    flags | OFlags::NOFOLLOW
}

/// Opens a folder in another one, which is made, durably, if it is missing.
fn make_folder(parent: &OwnedFd, name: &str) -> io::Result<OwnedFd> {
    match mkdirat(parent, name, FOLDER_MODE) {
        Ok(()) => fsync(parent)?,
        Err(Errno::EXIST) => {}
        Err(error) => return Err(error.into()),
    }
    Ok(openat(parent, name, nofollow(FOLDER), Mode::empty())?)
}

fn names(folder: &OwnedFd) -> io::Result<Vec<String>> {
    let mut names = Vec::new();
    for entry in Dir::read_from(folder)? {
        // Names that are not UTF-8 are not ours.
        if let Ok(name) = entry?.file_name().to_str() {
            names.push(name.to_owned());
        }
    }
    Ok(names)
}

fn is_incoming(name: &str) -> bool {
    let id = name.strip_suffix(SUFFIX);
    id.is_some_and(|id| Uuid::try_parse(id).is_ok())
}
