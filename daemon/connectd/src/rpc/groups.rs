//! `groups.*`.

use std::str::FromStr;

use connect_api::groups::{
    Create, Get, Group, Leave, List, Member, Role, Standing, Summary, Update,
};
use connect_core::group::Change;
use connect_service::groups;
use connect_store::codes::GroupStanding;
use connect_store::groups::Group as StoredGroup;
use jsonrpsee::core::RegisterMethodError;

use crate::rpc::decode::{id, limit, optional_id, paged};
use crate::rpc::failure::Failure;
use crate::rpc::{Module, pages};

pub(super) fn register(module: &mut Module) -> Result<(), RegisterMethodError> {
    super::register::<Create, _, _>(module, async |context, caller, params| {
        context.allow_send(&caller)?;
        let members = ids("members", &params.members)?;
        let unlocked = context.session.unlocked()?;
        Ok(shape(
            groups::create(&unlocked, &params.name, members).await?,
        ))
    })?;
    super::register::<Get, _, _>(module, async |context, _, params| {
        let group = id("group", &params.group)?;
        let unlocked = context.session.unlocked()?;
        Ok(shape(groups::find(&unlocked, group).await?))
    })?;
    super::register::<List, _, _>(module, async |context, _, params| {
        let limit = limit(params.limit)?;
        let after = optional_id("after", params.after.as_deref())?;
        let unlocked = context.session.unlocked()?;
        let found = groups::list(&unlocked, after, limit + 1).await?;
        let (page, more) = paged(found, limit);
        let items = page.into_iter().map(|(group, members)| {
            let summary = Summary {
                group: group.group_id.to_string(),
                name: group.name,
                revision: group.revision,
                standing: standing(group.standing),
                members,
            };
            (summary.group.clone(), summary)
        });
        Ok(pages::page(&context.limits, items.collect(), more))
    })?;
    super::register::<Update, _, _>(module, async |context, caller, params| {
        context.allow_send(&caller)?;
        let group = id("group", &params.group)?;
        let change = Change {
            name: params.name,
            add: ids("add", &params.add)?,
            remove: ids("remove", &params.remove)?,
            promote: ids("promote", &params.promote)?,
        };
        let unlocked = context.session.unlocked()?;
        Ok(shape(groups::update(&unlocked, group, &change).await?))
    })?;
    super::register::<Leave, _, _>(module, async |context, caller, params| {
        context.allow_send(&caller)?;
        let group = id("group", &params.group)?;
        let unlocked = context.session.unlocked()?;
        Ok(shape(groups::leave(&unlocked, group).await?))
    })
}

fn ids<T: FromStr>(field: &'static str, texts: &[String]) -> Result<Vec<T>, Failure> {
    texts.iter().map(|text| id(field, text)).collect()
}

fn shape(group: StoredGroup) -> Group {
    let members = group.members.into_iter().map(|member| Member {
        user_id: member.user_id.into_string(),
        role: if member.is_admin {
            Role::Admin
        } else {
            Role::Member
        },
        since_revision: member.since,
    });
    Group {
        group: group.group_id.to_string(),
        name: group.name,
        revision: group.revision,
        digest: hex::encode(group.digest),
        standing: standing(group.standing),
        changed_ms: group.changed_ms,
        members: members.collect(),
    }
}

const fn standing(standing: GroupStanding) -> Standing {
    match standing {
        GroupStanding::Member => Standing::Member,
        GroupStanding::Left => Standing::Left,
        GroupStanding::Removed => Standing::Removed,
    }
}
