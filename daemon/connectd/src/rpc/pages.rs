//! Pages of lists, cut so that the answer fits into a line.

use std::cmp::Reverse;
use std::io::{self, Write};

use connect_api::page::Page;
use serde::Serialize;

use crate::limits::Limits;

/// What stands around a page's items in a line.
const FRAME: usize = 4096;

/// A page of items with their places: as many of the first as fit. At least one, whatever its size.
pub(crate) fn page<C, T: Serialize>(
    limits: &Limits,
    mut found: Vec<(C, T)>,
    more: bool,
) -> Page<T, C> {
    let fit = fitting(limits, found.iter());
    let is_cut = fit < found.len();
    found.truncate(fit);
    finished(found, more || is_cut)
}

/// A page that ends at a place: as many of the last as fit. Behind it there is more.
pub(crate) fn page_up_to<C, T: Serialize>(limits: &Limits, mut found: Vec<(C, T)>) -> Page<T, C> {
    let fit = fitting(limits, found.iter().rev());
    found.drain(..found.len().saturating_sub(fit));
    finished(found, true)
}

/// Takes values out, the largest first, until what has them fits into a line.
pub(crate) fn fit<T: Serialize>(
    limits: &Limits,
    whole: &mut T,
    values: impl for<'t> FnOnce(&'t mut T) -> Vec<&'t mut Option<String>>,
) {
    let room = limits.line_out.saturating_sub(FRAME);
    let mut taken = size(whole);
    if taken <= room {
        return;
    }
    let sized = values(whole).into_iter().map(|value| (size(value), value));
    let mut sized: Vec<_> = sized.collect();
    sized.sort_by_key(|(size, _)| Reverse(*size));
    for (size, value) in sized {
        if taken <= room {
            break;
        }
        *value = None;
        taken -= size;
    }
}

fn finished<C, T>(found: Vec<(C, T)>, more: bool) -> Page<T, C> {
    let (mut places, items): (Vec<C>, Vec<T>) = found.into_iter().unzip();
    Page {
        next: places.pop().filter(|_| more),
        items,
    }
}

fn fitting<'a, C: 'a, T: Serialize + 'a>(
    limits: &Limits,
    found: impl Iterator<Item = &'a (C, T)>,
) -> usize {
    let mut room = limits.line_out.saturating_sub(FRAME);
    let fit = found
        .take_while(|(_, item)| {
            let (left, is_too_small) = room.overflowing_sub(size(item) + 1);
            room = left;
            !is_too_small
        })
        .count();
    fit.max(1)
}

/// Bytes of a value in JSON.
fn size(value: &impl Serialize) -> usize {
    struct Counter(usize);
    impl Write for Counter {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0 += bytes.len();
            Ok(bytes.len())
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }
    let mut counter = Counter(0);
    match serde_json::to_writer(&mut counter, value) {
        Ok(()) => counter.0,
        // It cannot be answered either.
        Err(_) => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn limits(room: usize) -> Limits {
        Limits {
            line_out: FRAME + room,
            ..Limits::default()
        }
    }

    fn found() -> Vec<(u64, &'static str)> {
        vec![(1, "aaa"), (2, "bbb"), (3, "c")]
    }

    #[test]
    fn what_does_not_fit_is_for_the_next_page() {
        let read = |room| {
            let page = page(&limits(room), found(), false);
            (page.items, page.next)
        };
        assert_eq!(read(16), (vec!["aaa", "bbb", "c"], None));
        assert_eq!(read(15), (vec!["aaa", "bbb"], Some(2)));
        assert_eq!(read(0), (vec!["aaa"], Some(1)));
        let none: Page<&str, u64> = page(&limits(16), Vec::new(), false);
        assert_eq!((none.items.len(), none.next), (0, None));
    }

    #[test]
    fn a_page_up_to_a_place_keeps_what_is_next_to_it() {
        let read = |room| page_up_to(&limits(room), found()).items;
        assert_eq!(read(16), ["aaa", "bbb", "c"]);
        assert_eq!(read(10), ["bbb", "c"]);
        assert_eq!(read(0), ["c"]);
        let none = page_up_to(&limits(16), Vec::<(u64, &str)>::new());
        assert_eq!(none.next, None);
    }
}
