//! Around every call: what came of it is told to the audit log, also where the caller did not wait for it.

use std::sync::Arc;

use connect_api::conversation::Conversation;
use connect_api::errors::ErrorCode;
use connect_api::method::{Access, Method, Needs, errors_of};
use connect_api::session::Authenticate;
use connect_service::audit::{Act, Object, Who};
use connect_service::session::Session;
use jsonrpsee::types::ErrorObjectOwned;
use serde::Deserialize;

use crate::rpc::context::{Caller, Context, Link};
use crate::rpc::failure::Failure;

/// Who wants what.
pub(crate) struct Call<'a> {
    pub(crate) caller: Option<&'a Arc<Caller>>,
    pub(crate) method: &'static str,
    pub(crate) access: Access,
    pub(crate) needs: Needs,
    /// The method's own.
    pub(crate) errors: &'static [ErrorCode],
    pub(crate) params: Option<&'a str>,
}

impl<'a> Call<'a> {
    pub(crate) fn of<M: Method>(caller: Option<&'a Arc<Caller>>, params: Option<&'a str>) -> Self {
        Self {
            caller,
            method: M::NAME,
            access: M::ACCESS,
            needs: M::NEEDS,
            errors: M::ERRORS,
            params,
        }
    }

    /// What the contract does not name is answered all the same, but no test lets it pass.
    fn check_told(&self, code: ErrorCode) {
        debug_assert!(
            errors_of(self.access, self.needs, self.errors).contains(&code),
            "{code:?} is not among the errors of {}",
            self.method
        );
    }
}

/// Answers a call, its end noted.
pub(crate) async fn attend<T>(
    context: &Context,
    call: Call<'_>,
    work: impl Future<Output = Result<T, Failure>>,
) -> Result<T, ErrorObjectOwned> {
    let method = call.method;
    let answered = match call.caller {
        None => Err(Failure::internal("no caller")),
        Some(caller) => {
            // Who has not shown who it is may say anything: none of it is looked at.
            let is_known = !caller.principal.is_stranger();
            let object = call.params.filter(|_| is_known).and_then(object);
            let act = Act::new(who(&caller.link, caller.principal.name()), method, object);
            let mut noting = Noting {
                session: &context.session,
                act: &act,
                access: call.access,
                is_told: false,
            };
            let answered = act.during(work).await;
            noting.tell(&answered, caller);
            answered
        }
    };
    answered
        .inspect_err(|failure| {
            call.check_told(failure.code());
            failure.note(&context.session);
        })
        .map_err(|failure| failure.into_error(context, method))
}

/// A stranger asked for what is in no contract.
pub(crate) fn note_unknown_method(session: &Session, link: &Link) {
    let act = Act::new(who(link, None), "?", None);
    session.note_act(&act, ErrorCode::Unauthenticated.name());
}

fn who(link: &Link, app: Option<&str>) -> Who {
    Who {
        app: app.map(str::to_owned),
        uid: link.peer.uid,
        pid: link.peer.pid,
    }
}

const DONE: &str = "ok";
/// The caller left, or the time was up.
const GIVEN_UP: &str = "given_up";

struct Noting<'a> {
    session: &'a Session,
    act: &'a Act,
    access: Access,
    is_told: bool,
}

impl Noting<'_> {
    fn tell<T>(&mut self, answered: &Result<T, Failure>, caller: &Caller) {
        self.is_told = true;
        match answered {
            Err(failure) => self.note(failure.code()),
            // It has become somebody only now.
            Ok(_) if self.act.method() == Authenticate::NAME => {
                let principal = caller.link.principal();
                let who = who(&caller.link, principal.name());
                let act = Act::new(who, Authenticate::NAME, None);
                self.session.note_act(&act, DONE);
            }
            Ok(_) if matches!(self.access, Access::Scope(_)) => {
                self.session.note_act(self.act, DONE);
            }
            Ok(_) => {}
        }
    }

    fn note(&self, code: ErrorCode) {
        let is_refused = matches!(code, ErrorCode::Unauthenticated | ErrorCode::Forbidden);
        if is_refused || matches!(self.access, Access::Scope(_)) {
            self.session.note_act(self.act, code.name());
        }
    }
}

impl Drop for Noting<'_> {
    fn drop(&mut self) {
        if !self.is_told && !self.act.is_entered() && matches!(self.access, Access::Scope(_)) {
            self.session.note_act(self.act, GIVEN_UP);
        }
    }
}

/// What a call is about: the most particular thing that it names.
fn object(params: &str) -> Option<Object> {
    #[derive(Deserialize)]
    struct Named {
        message_id: Option<String>,
        conversation: Option<Conversation>,
        user_id: Option<String>,
        app_id: Option<String>,
        quarantine_id: Option<String>,
        case: Option<String>,
    }
    let named: Named = serde_json::from_str(params).ok()?;
    let (kind, id) = if let Some(id) = named.message_id {
        ("message", id)
    } else if let Some(id) = named.case {
        ("case", id)
    } else if let Some(conversation) = named.conversation {
        match conversation {
            Conversation::User(id) => ("user", id),
            Conversation::Group(id) => ("group", id),
            Conversation::Case(id) => ("case", id),
        }
    } else if let Some(id) = named.user_id {
        ("user", id)
    } else if let Some(id) = named.app_id {
        ("app", id)
    } else {
        ("quarantined", named.quarantine_id?)
    };
    Some(Object { kind, id })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_most_particular_thing_is_what_a_call_is_about() {
        let about = |params| object(params).map(|object| (object.kind, object.id));
        let found = |kind, id: &str| Some((kind, id.to_owned()));
        assert_eq!(about(r#"{"user_id":"u"}"#), found("user", "u"));
        assert_eq!(
            about(r#"{"conversation":{"user":"u"},"text":"t"}"#),
            found("user", "u")
        );
        assert_eq!(
            about(r#"{"message_id":"m","text":"t"}"#),
            found("message", "m")
        );
        assert_eq!(about(r#"{"limit":1}"#), None);
        assert_eq!(about("{"), None);
    }
}
