//! What the stories of patient cases do again and again.

use anyhow::{Result, bail};
use connect_api::cases::{
    AddParticipant, Case, CaseParams, Create, CreateParams, Get, ParticipantParams,
    RemoveParticipant, SetField, SetFieldParams,
};
use connect_api::conversation::Conversation;
use connect_api::events::EventBody;
use connect_api::messages::{self, Message};
use connect_client::error::CallError;

use crate::world::{Person, World};

impl Person {
    pub async fn begins_case(
        &self,
        title: &str,
        with: &[&Self],
        fields: &[(&str, &str)],
    ) -> Result<Case> {
        let text = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
        let params = CreateParams {
            title: title.to_owned(),
            patient_reference: Some("MRN 17".to_owned()),
            participants: with.iter().map(|other| other.name.clone()).collect(),
            fields: fields.iter().map(text).collect(),
        };
        Ok(self.client.call::<Create>(params).await?)
    }

    pub async fn case(&self, case: &str) -> Result<Case> {
        let case = case.to_owned();
        Ok(self.client.call::<Get>(CaseParams { case }).await?)
    }

    pub async fn says(&self, case: &str, text: &str) -> Result<String, CallError> {
        let conversation = Conversation::Case(case.to_owned());
        let sent = self.client.send_text(conversation, text, None).await?;
        Ok(sent.message_id)
    }

    pub async fn sets(
        &self,
        case: &str,
        (name, value): (&str, &str),
        expected_revision: u64,
    ) -> Result<Case, CallError> {
        let params = SetFieldParams {
            case: case.to_owned(),
            name: name.to_owned(),
            value: value.to_owned(),
            media_type: None,
            expected_revision,
        };
        self.client.call::<SetField>(params).await
    }

    pub async fn adds_to_case(&self, case: &str, other: &Self) -> Result<Case> {
        let params = ParticipantParams {
            case: case.to_owned(),
            user_id: other.name.clone(),
        };
        Ok(self.client.call::<AddParticipant>(params).await?)
    }

    pub async fn removes_from_case(&self, case: &str, other: &Self) -> Result<Case> {
        let params = ParticipantParams {
            case: case.to_owned(),
            user_id: other.name.clone(),
        };
        Ok(self.client.call::<RemoveParticipant>(params).await?)
    }

    /// Waits until the case is at that revision here, or at a later one.
    pub async fn sees_case(&self, case: &str, wanted: u64) -> Result<Case> {
        self.sees(|body| {
            matches!(body, EventBody::CaseChanged { case: of, revision, .. } if of == case && *revision >= wanted)
        })
        .await?;
        self.case(case).await
    }

    /// Waits until the case is as wanted here: looked at after each event.
    pub async fn sees_case_with(&self, case: &str, wanted: impl Fn(&Case) -> bool) -> Result<Case> {
        let mut events = self.events();
        while let Some(event) = events.next().await {
            let is_of_case = matches!(
                event?.body,
                EventBody::CaseChanged { .. }
                    | EventBody::CaseFieldChanged { .. }
                    | EventBody::CaseConflict { .. }
            );
            if is_of_case {
                let found = self.case(case).await;
                if let Ok(found) = found
                    && wanted(&found)
                {
                    return Ok(found);
                }
            }
        }
        bail!("the events ended")
    }

    /// The texts of a case, the oldest first, each with its author.
    pub async fn reads_case(&self, case: &str) -> Result<Vec<Message>> {
        let mut all = Vec::new();
        let mut after = None;
        loop {
            let params = messages::ListParams {
                conversation: Conversation::Case(case.to_owned()),
                before: None,
                after,
                limit: Some(20),
            };
            let page = self.client.call::<messages::List>(params).await?;
            all.extend(page.items);
            match page.next {
                Some(next) => after = Some(next),
                None => break,
            }
        }
        all.reverse();
        Ok(all)
    }
}

/// Three who know each other.
pub async fn three(world: &World) -> Result<[Person; 3]> {
    let all = [
        world.person("alice").await?,
        world.person("bob").await?,
        world.person("carol").await?,
    ];
    let [alice, bob, carol] = &all;
    for (one, other) in [(alice, bob), (alice, carol), (bob, carol)] {
        one.adds(other).await?;
        other.adds(one).await?;
    }
    Ok(all)
}

/// A field's value, where it is there.
pub fn value<'c>(case: &'c Case, name: &str) -> Option<&'c str> {
    let field = case.fields.iter().find(|field| field.name == name)?;
    field.newest.value.as_deref()
}
