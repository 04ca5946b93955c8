//! The objects in a folder, page by page.

use std::io;
use std::time::SystemTime;

use super::folder::Folder;
use crate::key::ObjectKey;
use crate::store::ObjectPage;

/// Looks at up to `limit` keys behind `start` and gives those last written
/// before `older_than`. Days before `start` are not opened, so a page costs
/// the names of the days and the files it looks at.
pub(super) fn list(
    folder: &Folder,
    start: &str,
    older_than: SystemTime,
    limit: usize,
) -> io::Result<ObjectPage> {
    let mut page = ObjectPage::default();
    let mut last = None;
    let mut looked_at = 0;
    for day in days(folder, start)? {
        let parts: Vec<&str> = day.split('/').collect();
        for name in folder.names_in(&parts)? {
            let key = ObjectKey::parse(&format!("{day}/{name}"));
            let Some(key) = key.filter(|key| key.as_str() > start) else {
                continue;
            };
            if looked_at == limit {
                page.next = last;
                return Ok(page);
            }
            looked_at += 1;
            last = Some(key.as_str().to_owned());
            if is_older(folder, &key, older_than)? {
                page.keys.push(key);
            }
        }
    }
    Ok(page)
}

/// The folders `year/month/day` that may hold keys behind `start`.
fn days(folder: &Folder, start: &str) -> io::Result<Vec<String>> {
    let mut days = vec![String::new()];
    for _level in 0..3 {
        let mut next = Vec::new();
        for path in days {
            let parts: Vec<&str> = path.split('/').filter(|part| !part.is_empty()).collect();
            for name in folder.names_in(&parts)? {
                let inner = [parts.as_slice(), &[&name]].concat().join("/");
                if is_number(&name) && !is_before(&inner, start) {
                    next.push(inner);
                }
            }
        }
        days = next;
    }
    Ok(days)
}

/// Whether all keys in this folder come before `start`.
fn is_before(path: &str, start: &str) -> bool {
    let start = start.get(..path.len()).unwrap_or(start);
    path < start
}

/// `.incoming` is none.
fn is_number(name: &str) -> bool {
    name.bytes().all(|byte| byte.is_ascii_digit())
}

/// False for what is not a file, or not there any more.
fn is_older(folder: &Folder, key: &ObjectKey, older_than: SystemTime) -> io::Result<bool> {
    match folder.open_file(key) {
        Ok(file) => Ok(file.metadata()?.modified()? < older_than),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(error),
    }
}
