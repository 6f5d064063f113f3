//! Entries of patient cases: signed by their author inside the secretbox that all participants can open (D14).

pub mod entry;
pub mod open;

#[cfg(test)]
mod tests;
