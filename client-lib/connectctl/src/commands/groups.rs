//! `connectctl groups …`

pub(crate) mod create;
pub(crate) mod leave;
pub(crate) mod list;
pub(crate) mod show;
pub(crate) mod update;

use clap::{Args, Subcommand};
use connect_api::groups::Group;

use crate::context::Context;
use crate::error::Error;
use crate::output::Output;
use crate::table::{self, Table};
use crate::{escape, time, words};

#[derive(Debug, Args)]
pub(crate) struct Groups {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Make a group of yourself, as its admin, and others.
    Create(create::Create),
    /// A group's name and roster.
    Show(show::Show),
    /// Every group that you are in or were.
    List(list::List),
    /// Take people in. They see nothing of what was said before.
    Add(update::Members),
    /// Take people off the roster. What they have got stays with them.
    Remove(update::Members),
    /// Make members admins: they may change the name and the roster.
    Promote(update::Members),
    /// Give a group another name.
    Rename(update::Rename),
    /// Leave a group. What was said stays here.
    Leave(leave::Leave),
}

pub(crate) async fn run(args: Groups, context: &Context) -> Result<(), Error> {
    match args.command {
        Command::Create(args) => create::run(args, context).await,
        Command::Show(args) => show::run(args, context).await,
        Command::List(args) => list::run(args, context).await,
        Command::Add(args) => update::add(args, context).await,
        Command::Remove(args) => update::remove(args, context).await,
        Command::Promote(args) => update::promote(args, context).await,
        Command::Rename(args) => update::rename(args, context).await,
        Command::Leave(args) => leave::run(args, context).await,
    }
}

/// A group's id, with or without `group:` before it, as conversations are shown.
fn id(text: &str) -> Result<String, String> {
    let id = text.strip_prefix("group:").unwrap_or(text);
    if id.is_empty() {
        return Err("the id is missing".into());
    }
    Ok(id.to_owned())
}

fn text(out: &Output, group: &Group) -> String {
    let about = table::pairs(
        out,
        &[
            ("Group", format!("group:{}", escape::line(&group.group))),
            ("Name", escape::line(&group.name)),
            ("You are", words::spaced(&group.standing)),
            ("Revision", group.revision.to_string()),
            ("Roster", escape::line(&group.digest)),
            ("Changed", time::local(group.changed_ms)),
        ],
    );
    let mut members = Table::new(&["USER", "ROLE", "SINCE REVISION"]);
    for member in &group.members {
        members.row([
            escape::line(&member.user_id),
            words::spaced(&member.role),
            member.since_revision.to_string(),
        ]);
    }
    format!("{about}\n\n{}", members.render(out))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_group_is_named_as_conversations_are_or_by_its_id() {
        assert_eq!(id("group:ab").unwrap(), "ab");
        assert_eq!(id("ab").unwrap(), "ab");
        assert!(id("group:").is_err());
    }
}
