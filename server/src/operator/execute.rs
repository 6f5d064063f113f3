//! An order is carried out: who gives it, whether that one may, what it changes, and the entry that tells of it, in one
//! transaction.

use connect_proto::hash::Digest;
use serde_json::{Value, json};

use super::deeds::{about, attest, described, end, look, pending, show};
use super::order::{Credential, Needs, OperatorName, Order, Role};
use super::refused::OrderRefused;
use crate::store::log::{self, Entry, Head};
use crate::store::news::News;
use crate::store::operators::{self, Hash, Operator};
use crate::store::writer::{Single, Tx};
use crate::store::{accounts, codes, proposals};

/// Who gives an order, as far as the door can tell.
#[derive(Debug, Clone)]
pub(crate) enum Who {
    /// Whoever may act as the relay on its own machine.
    Host,
    /// Somebody else who reached the socket, and shows no credential.
    Stranger(u32),
    Token(OperatorName, Digest),
    Certificate(Digest),
}

/// One order, to be carried out in the group commit or, where no relay runs, beside it.
#[derive(Debug)]
pub(crate) struct Execute {
    pub(crate) who: Who,
    pub(crate) order: Order,
    pub(crate) four_eyes: bool,
    pub(crate) news: News,
}

/// What came of an order.
#[derive(Debug)]
pub(crate) struct Executed {
    pub(crate) result: Result<Value, OrderRefused>,
    /// Of the entry that tells of it; none for what only reads.
    pub(crate) head: Option<Head>,
}

/// Who gives the order, as the relay knows them.
#[derive(Debug)]
enum Actor {
    Host,
    Operator(Operator),
}

/// Pieces of the entry that only carrying out finds.
#[derive(Debug, Default)]
struct Told {
    pending: bool,
    proposal: Option<u64>,
    proposed_by: Option<String>,
    /// The bundle that a proposal is about, where the order did not name one.
    revision: Option<u64>,
    /// Instead of the order itself: what was confirmed.
    confirmed: Option<Order>,
}

pub(super) type Outcome = Result<Value, OrderRefused>;

impl Single for Execute {
    type Outcome = Executed;

    async fn apply(&mut self, tx: &mut Tx) -> Result<Executed, sqlx::Error> {
        self.end_expired(tx).await?;
        let seq = log::next_seq(tx).await?;
        let mut told = Told::default();
        let (name, actor) = self.identify(tx).await?;
        let result = match actor.and_then(|actor| self.permit(actor)) {
            Ok(actor) => self.perform(tx, &actor, seq, &mut told).await?,
            Err(refused) => Err(refused),
        };
        if self.order.only_reads() && result.is_ok() {
            return Ok(Executed { result, head: None });
        }
        let entry = self.entry(seq, name, told, &result);
        let head = log::append(tx, &self.news.secret, &entry).await?;
        Ok(Executed {
            result,
            head: Some(head),
        })
    }
}

impl Execute {
    /// The name for the log, also of one who is refused.
    async fn identify(
        &self,
        tx: &mut Tx,
    ) -> Result<(String, Result<Actor, OrderRefused>), sqlx::Error> {
        let (claimed, hash) = match &self.who {
            Who::Host => return Ok(("host".to_owned(), Ok(Actor::Host))),
            Who::Stranger(uid) => {
                return Ok((format!("uid-{uid}"), Err(OrderRefused::CredentialNeeded)));
            }
            Who::Token(name, hash) => (Some(name.as_str()), Hash::Token(*hash)),
            Who::Certificate(hash) => (None, Hash::Certificate(*hash)),
        };
        let found = operators::find(tx, claimed, hash).await?;
        let name = match (&found, claimed, hash) {
            (Some(operator), ..) => operator.name.clone(),
            (None, Some(claimed), _) => claimed.to_owned(),
            (None, None, Hash::Certificate(hash) | Hash::Token(hash)) => {
                format!("certificate {}", hex::encode(&hash[..8]))
            }
        };
        let actor = found.map(Actor::Operator);
        Ok((name, actor.ok_or(OrderRefused::WrongCredential)))
    }

    fn permit(&self, actor: Actor) -> Result<Actor, OrderRefused> {
        let needs = self.order.needs();
        match (&actor, needs) {
            (_, Needs::Anyone) | (Actor::Host, Needs::Host | Needs::RoleOrHost(_)) => Ok(actor),
            (Actor::Host, Needs::Role(_)) => Err(OrderRefused::CredentialNeeded),
            (Actor::Operator(_), Needs::Host) => Err(OrderRefused::HostOnly),
            (Actor::Operator(operator), Needs::Role(role) | Needs::RoleOrHost(role)) => {
                if may(operator, role) {
                    Ok(actor)
                } else {
                    Err(OrderRefused::NotPermitted)
                }
            }
        }
    }

    /// Nothing is changed before it is certain that nothing is refused.
    async fn perform(
        &self,
        tx: &mut Tx,
        actor: &Actor,
        seq: u64,
        told: &mut Told,
    ) -> Result<Outcome, sqlx::Error> {
        match &self.order {
            Order::IssueCode { user_id, code_hash } => {
                codes::add(&mut tx.connection, code_hash, user_id, self.news.now_ms).await?;
                Ok(Ok(json!({})))
            }
            Order::Show { user_id } => show(tx, user_id).await,
            Order::Attest {
                user_id,
                profile_digest,
            } => attest(tx, user_id, profile_digest, seq).await,
            Order::WithdrawAttestation { user_id } => {
                let known = accounts::set_attested(tx, user_id, None).await?;
                Ok(known.then(|| json!({})).ok_or(OrderRefused::UnknownUser))
            }
            Order::RevokeKeys { .. } | Order::DeleteAccount { .. } => {
                self.propose_or_end(tx, actor, seq, told).await
            }
            Order::Pending => Ok(Ok(pending(proposals::list(tx).await?))),
            Order::Confirm { id } => self.confirm(tx, actor, *id, seq, told).await,
            Order::Cancel { id } => self.cancel(tx, *id, told).await,
            Order::AddOperator {
                name,
                may,
                credential,
            } => self.add_operator(tx, name, may, credential).await,
            Order::ListOperators => {
                let all = operators::list(tx).await?;
                let all: Vec<_> = all.iter().map(described).collect();
                Ok(Ok(json!({ "operators": all })))
            }
            Order::RemoveOperator { name } => {
                let removed = operators::remove(tx, name.as_str()).await?;
                Ok(removed
                    .then(|| json!({}))
                    .ok_or(OrderRefused::UnknownOperator))
            }
            Order::Audit { after } => {
                let entries = log::page(&mut tx.connection, *after).await?;
                Ok(Ok(json!({ "entries": entries })))
            }
        }
    }

    async fn propose_or_end(
        &self,
        tx: &mut Tx,
        actor: &Actor,
        seq: u64,
        told: &mut Told,
    ) -> Result<Outcome, sqlx::Error> {
        if !self.four_eyes {
            return end(tx, &self.order, seq, &self.news).await;
        }
        let link = match look(tx, &self.order).await? {
            Ok(link) => link,
            Err(refused) => return Ok(Err(refused)),
        };
        let Actor::Operator(operator) = actor else {
            return Ok(Err(OrderRefused::CredentialNeeded));
        };
        // What is confirmed is what was proposed, whatever is enrolled in between.
        let order = self.order.clone().about(link.revision);
        told.revision = Some(link.revision);
        let wanted =
            serde_json::to_string(&order).map_err(|error| sqlx::Error::Encode(error.into()))?;
        let by = (operator.id, operator.name.as_str());
        let id = proposals::add(tx, by, &wanted, self.news.now_ms).await?;
        told.pending = true;
        told.proposal = Some(id);
        Ok(Ok(json!({ "pending": id })))
    }

    async fn confirm(
        &self,
        tx: &mut Tx,
        actor: &Actor,
        id: u64,
        seq: u64,
        told: &mut Told,
    ) -> Result<Outcome, sqlx::Error> {
        told.proposal = Some(id);
        let Some(proposal) = proposals::find(tx, id).await? else {
            return Ok(Err(OrderRefused::UnknownProposal));
        };
        told.proposed_by = Some(proposal.name.clone());
        let Actor::Operator(confirming) = actor else {
            return Ok(Err(OrderRefused::CredentialNeeded));
        };
        if confirming.id == proposal.operator {
            return Ok(Err(OrderRefused::SameOperator));
        }
        let all = operators::list(tx).await?;
        let proposer = all.iter().find(|known| known.id == proposal.operator);
        if !proposer.is_some_and(|proposer| may(proposer, Role::Revoke)) {
            return Ok(Err(OrderRefused::ProposerGone));
        }
        let wanted = wanted(&proposal.wanted)?;
        let outcome = end(tx, &wanted, seq, &self.news).await?;
        if outcome.is_ok() {
            proposals::remove(tx, id).await?;
            told.confirmed = Some(wanted);
        }
        Ok(outcome)
    }

    async fn cancel(&self, tx: &mut Tx, id: u64, told: &mut Told) -> Result<Outcome, sqlx::Error> {
        told.proposal = Some(id);
        let Some(proposal) = proposals::find(tx, id).await? else {
            return Ok(Err(OrderRefused::UnknownProposal));
        };
        told.proposed_by = Some(proposal.name);
        proposals::remove(tx, id).await?;
        Ok(Ok(json!({})))
    }

    async fn add_operator(
        &self,
        tx: &mut Tx,
        name: &OperatorName,
        may: &[Role],
        credential: &Credential,
    ) -> Result<Outcome, sqlx::Error> {
        let hash = match credential {
            Credential::TokenSha256(hash) => Hash::Token(*hash),
            Credential::CertificateSha256(hash) => Hash::Certificate(*hash),
        };
        let roles = (may.contains(&Role::Attest), may.contains(&Role::Revoke));
        let added = operators::add(tx, name.as_str(), hash, roles, self.news.now_ms).await?;
        Ok(added.then(|| json!({})).ok_or(OrderRefused::NameTaken))
    }

    /// What nobody confirmed within its time, with an entry each.
    async fn end_expired(&self, tx: &mut Tx) -> Result<(), sqlx::Error> {
        let now_ms = self.news.now_ms;
        for proposal in proposals::list(tx).await? {
            if proposal.expires_ms > now_ms {
                continue;
            }
            proposals::remove(tx, proposal.id).await?;
            let entry = Entry {
                seq: log::next_seq(tx).await?,
                at_ms: now_ms,
                operator: "relay".to_owned(),
                order: "expire".to_owned(),
                proposal: Some(proposal.id),
                proposed_by: Some(proposal.name),
                outcome: "done".to_owned(),
                ..wanted(&proposal.wanted).map(|order| about(&order))?
            };
            log::append(tx, &self.news.secret, &entry).await?;
        }
        Ok(())
    }

    fn entry(&self, seq: u64, operator: String, told: Told, result: &Outcome) -> Entry {
        let outcome = match result {
            Ok(_) if told.pending => "pending".to_owned(),
            Ok(_) => "done".to_owned(),
            Err(refused) => format!("refused: {refused}"),
        };
        let said = about(told.confirmed.as_ref().unwrap_or(&self.order));
        Entry {
            seq,
            at_ms: self.news.now_ms,
            operator,
            proposal: told.proposal,
            proposed_by: told.proposed_by,
            revision: told.revision.or(said.revision),
            outcome,
            ..said
        }
    }
}

fn may(operator: &Operator, role: Role) -> bool {
    match role {
        Role::Attest => operator.may_attest,
        Role::Revoke => operator.may_revoke,
    }
}

fn wanted(json: &str) -> Result<Order, sqlx::Error> {
    serde_json::from_str(json).map_err(|error| sqlx::Error::Decode(error.into()))
}
