//! `groups.*` at work.

use super::{Example, Shown, error, invalid, sample};
use crate::errors::{ErrorCode, Reason};
use crate::groups::{
    Create, CreateParams, Get, Group, GroupParams, Leave, List, Member, Role, Standing, Summary,
    Update, UpdateParams,
};
use crate::page::{ListParams, Page};

const NAME: &str = "Ward 3, nights";
const NEW_NAME: &str = "Ward 3, nights and weekends";

fn member(user_id: &str, role: Role, since_revision: u64) -> Member {
    Member {
        user_id: user_id.to_owned(),
        role,
        since_revision,
    }
}

fn group() -> Group {
    Group {
        group: sample::GROUP_ID.to_owned(),
        name: NAME.to_owned(),
        revision: 1,
        digest: sample::ROSTER_DIGEST.to_owned(),
        standing: Standing::Member,
        changed_ms: sample::LATER_MS,
        members: vec![
            member(sample::ALICE, Role::Admin, 1),
            member(sample::BOB, Role::Member, 1),
        ],
    }
}

fn named(group: &str) -> GroupParams {
    GroupParams {
        group: group.to_owned(),
    }
}

impl Shown for Create {
    fn examples() -> Vec<Example> {
        let params = |name: &str, member: &str| CreateParams {
            name: name.to_owned(),
            members: vec![member.to_owned()],
        };
        vec![
            Example::answered::<Self>("Alice and Bob", &params(NAME, sample::BOB), &group()),
            Example::refused::<Self>(
                "Without a name",
                &params("", sample::BOB),
                &invalid("name", Reason::Empty),
            ),
            Example::refused::<Self>(
                "With a user whom the relay does not know",
                &params(NAME, sample::NOBODY),
                &error(ErrorCode::UnknownContact),
            ),
        ]
    }
}

impl Shown for Get {
    fn examples() -> Vec<Example> {
        vec![
            Example::answered::<Self>("With its roster", &named(sample::GROUP_ID), &group()),
            Example::refused::<Self>(
                "There is no such group",
                &named(sample::UNKNOWN_GROUP_ID),
                &error(ErrorCode::NotFound),
            ),
        ]
    }
}

impl Shown for List {
    fn examples() -> Vec<Example> {
        let summary = Summary {
            group: sample::GROUP_ID.to_owned(),
            name: NAME.to_owned(),
            revision: 1,
            standing: Standing::Member,
            members: 2,
        };
        let page = Page {
            items: vec![summary],
            next: None,
        };
        vec![Example::answered::<Self>(
            "One",
            &ListParams::default(),
            &page,
        )]
    }
}

impl Shown for Update {
    fn examples() -> Vec<Example> {
        let params = UpdateParams {
            group: sample::GROUP_ID.to_owned(),
            name: Some(NEW_NAME.to_owned()),
            promote: vec![sample::BOB.to_owned()],
            ..UpdateParams::default()
        };
        let changed = Group {
            name: NEW_NAME.to_owned(),
            revision: 2,
            digest: sample::NEXT_ROSTER_DIGEST.to_owned(),
            changed_ms: sample::LATER_MS,
            members: vec![
                member(sample::ALICE, Role::Admin, 1),
                member(sample::BOB, Role::Admin, 1),
            ],
            ..group()
        };
        let stranger = UpdateParams {
            group: sample::GROUP_ID.to_owned(),
            remove: vec![sample::NOBODY.to_owned()],
            ..UpdateParams::default()
        };
        vec![
            Example::answered::<Self>("Another name, and another admin", &params, &changed),
            Example::refused::<Self>(
                "Without somebody who is not in it",
                &stranger,
                &invalid("remove", Reason::Mismatch),
            ),
        ]
    }
}

impl Shown for Leave {
    fn examples() -> Vec<Example> {
        let left = Group {
            name: NEW_NAME.to_owned(),
            revision: 3,
            digest: sample::LAST_ROSTER_DIGEST.to_owned(),
            standing: Standing::Left,
            changed_ms: sample::LATER_MS,
            members: vec![member(sample::BOB, Role::Admin, 1)],
            ..group()
        };
        vec![
            Example::answered::<Self>("To Bob", &named(sample::GROUP_ID), &left),
            Example::refused::<Self>(
                "It was left before",
                &named(sample::GROUP_ID),
                &error(ErrorCode::NotAParticipant),
            ),
        ]
    }
}
