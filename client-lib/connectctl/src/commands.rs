//! The subcommands: one file each, all of the same form.

pub(crate) mod account;
pub(crate) mod apps;
pub(crate) mod attachments;
pub(crate) mod audit;
pub(crate) mod backup;
pub(crate) mod call;
pub(crate) mod cases;
pub(crate) mod change_pin;
pub(crate) mod completions;
pub(crate) mod contacts;
pub(crate) mod conversations;
pub(crate) mod download;
pub(crate) mod events;
pub(crate) mod groups;
pub(crate) mod health;
pub(crate) mod hello;
pub(crate) mod lock;
pub(crate) mod messages;
pub(crate) mod openrpc;
pub(crate) mod policy;
pub(crate) mod quarantine;
pub(crate) mod recovery;
pub(crate) mod search;
pub(crate) mod send;
pub(crate) mod trust;
pub(crate) mod unlock;
pub(crate) mod watch;

use clap::Subcommand;

use crate::context::Context;
use crate::error::Error;

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Who the daemon is, and what you may do.
    Hello(hello::Hello),
    /// How the daemon, its relay and its queues are.
    Health(health::Health),
    /// Open the keys with the PIN or passphrase.
    Unlock(unlock::Unlock),
    /// Seal the keys under another PIN or passphrase.
    ChangePin(change_pin::ChangePin),
    /// Open the keys with the recovery key and choose a new PIN: after a forgotten PIN, or a lost keystore.
    Recover(recovery::Recover),
    /// Make another recovery key; the one before opens nothing then.
    RecoveryKey(recovery::NewRecoveryKey),
    /// Wipe the keys from the daemon's memory.
    Lock(lock::Lock),
    /// This daemon's own account.
    Account(account::Account),
    /// The people you may write to.
    Contacts(contacts::Contacts),
    /// Whether a contact's key is the person's own.
    Trust(trust::Trust),
    /// What was refused, and what it would say.
    Quarantine(quarantine::Quarantine),
    /// Conversations of several people.
    Groups(groups::Groups),
    /// All conversations, the most recent first; or one of them in clear, in a file.
    Conversations(conversations::Conversations),
    /// Send a message.
    Send(send::Send),
    /// Read a conversation, or one message.
    Messages(messages::Messages),
    /// What colleagues share of one patient.
    Cases(cases::Cases),
    /// Find messages by the words in them, the newest last.
    Search(search::Search),
    /// Print events as they happen, until Ctrl-C.
    Watch(watch::Watch),
    /// The event log.
    Events(events::Events),
    /// Files that go with messages.
    Attachments(attachments::Attachments),
    /// How long messages are kept, and what others are told.
    Policy(policy::Policy),
    /// The programs that may use the daemon.
    Apps(apps::Apps),
    /// Who did what with this daemon.
    Audit(audit::Audit),
    /// One encrypted file with all that there is: made, looked at, restored.
    Backup(backup::Backup),
    /// The daemon's contract as an OpenRPC document.
    Openrpc(openrpc::Openrpc),
    /// Call any method of the contract.
    Call(call::Call),
    /// A completion script for your shell.
    Completions(completions::Completions),
}

/// `grammar` is the whole command line, for who completes it.
pub(crate) async fn run(
    command: Command,
    context: &Context,
    grammar: clap::Command,
) -> Result<(), Error> {
    match command {
        Command::Hello(args) => hello::run(args, context).await,
        Command::Health(args) => health::run(args, context).await,
        Command::Unlock(args) => unlock::run(args, context).await,
        Command::ChangePin(args) => change_pin::run(args, context).await,
        Command::Recover(args) => recovery::recover(args, context).await,
        Command::RecoveryKey(args) => recovery::renew(args, context).await,
        Command::Lock(args) => lock::run(args, context).await,
        Command::Account(args) => account::run(args, context).await,
        Command::Contacts(args) => contacts::run(args, context).await,
        Command::Trust(args) => trust::run(args, context).await,
        Command::Quarantine(args) => quarantine::run(args, context).await,
        Command::Groups(args) => groups::run(args, context).await,
        Command::Conversations(args) => conversations::run(args, context).await,
        Command::Send(args) => send::run(args, context).await,
        Command::Messages(args) => messages::run(args, context).await,
        Command::Cases(args) => cases::run(args, context).await,
        Command::Search(args) => search::run(args, context).await,
        Command::Watch(args) => watch::run(args, context).await,
        Command::Events(args) => events::run(args, context).await,
        Command::Attachments(args) => attachments::run(args, context).await,
        Command::Policy(args) => policy::run(args, context).await,
        Command::Apps(args) => apps::run(args, context).await,
        Command::Audit(args) => audit::run(args, context).await,
        Command::Backup(args) => backup::run(args, context).await,
        Command::Openrpc(args) => openrpc::run(args, context).await,
        Command::Call(args) => call::run(args, context).await,
        Command::Completions(args) => completions::run(args, context, grammar),
    }
}
