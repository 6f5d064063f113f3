//! `policy.*` at work.

use super::{Example, Shown, invalid};
use crate::errors::Reason;
use crate::page::Nothing;
use crate::policy::{Get, Policy, Set, SetParams};

impl Shown for Get {
    fn examples() -> Vec<Example> {
        let policy = Policy {
            retention_days: None,
            typing: false,
            read_receipts: true,
            download_up_to_bytes: Some(16 << 20),
            attachments_quota_bytes: 10 << 30,
        };
        vec![Example::answered::<Self>(
            "Nothing was settled yet",
            &Nothing {},
            &policy,
        )]
    }
}

impl Shown for Set {
    fn examples() -> Vec<Example> {
        let kept_for = |days| SetParams {
            retention_days: Some(Some(days)),
            ..SetParams::default()
        };
        let params = SetParams {
            typing: Some(true),
            ..kept_for(365)
        };
        let policy = Policy {
            retention_days: Some(365),
            typing: true,
            read_receipts: true,
            download_up_to_bytes: Some(16 << 20),
            attachments_quota_bytes: 10 << 30,
        };
        vec![
            Example::answered::<Self>("Two things; the third stays", &params, &policy),
            Example::refused::<Self>(
                "A number of days that is not allowed",
                &kept_for(0),
                &invalid("retention_days", Reason::OutOfRange),
            ),
        ]
    }
}
