//! `conversations.*` at work.

use super::messages::{bobs_answer, with_bob};
use super::{Example, Shown};
use crate::conversations::{List, Summary};
use crate::page::{ListParams, Page};

impl Shown for List {
    fn examples() -> Vec<Example> {
        let summary = Summary {
            conversation: with_bob(),
            title: "Bob Kessler".to_owned(),
            last_message: Some(bobs_answer()),
            unread: 1,
        };
        let page = Page {
            items: vec![summary],
            next: None,
        };
        vec![Example::answered::<Self>(
            "One, with an answer that was not read yet",
            &ListParams::default(),
            &page,
        )]
    }
}
