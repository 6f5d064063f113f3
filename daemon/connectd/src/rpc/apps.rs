//! `apps.*`.

use std::sync::Arc;

use connect_api::apps::{App, AppToken, Create, Created, List, Revoke, Revoked};
use connect_api::errors::ErrorCode;
use connect_api::scope::Scope;
use connect_service::apps::{self, Request};
use connect_service::audit;
use connect_store::apps::App as StoredApp;
use jsonrpsee::core::RegisterMethodError;

use crate::rpc::decode::{id, limit, optional_id, paged};
use crate::rpc::failure::Failure;
use crate::rpc::{Module, pages};

pub(super) fn register(module: &mut Module) -> Result<(), RegisterMethodError> {
    super::register::<Create, _, _>(module, async |context, caller, params| {
        let mut scopes = params.scopes;
        scopes.sort_unstable();
        scopes.dedup();
        // Or an app that may administer could make itself whatever it likes.
        if !scopes.iter().all(|s| caller.principal.scopes().contains(s)) {
            return Err(ErrorCode::Forbidden.into());
        }
        let request = Request {
            name: params.name,
            scopes: scopes.iter().map(|s| s.name().to_owned()).collect(),
            uid: params.uid,
        };
        let session = Arc::clone(&context.session);
        let paired =
            to_the_end(async move { apps::create(&session, &session.unlocked()?, request).await })
                .await?;
        Ok(Created {
            app_id: paired.app_id.to_string(),
            token: AppToken::new(paired.token.reveal().as_str().to_owned()),
        })
    })?;
    super::register::<List, _, _>(module, async |context, _, params| {
        let limit = limit(params.limit)?;
        let after = optional_id("after", params.after.as_deref())?;
        let unlocked = context.session.unlocked()?;
        let (page, more) = paged(apps::list(&unlocked, after, limit + 1).await?, limit);
        let items = page.into_iter().map(shape);
        let items = items.map(|app| (app.app_id.clone(), app));
        Ok(pages::page(&context.limits, items.collect(), more))
    })?;
    super::register::<Revoke, _, _>(module, async |context, _, params| {
        let app_id = id("app_id", &params.app_id)?;
        let session = Arc::clone(&context.session);
        to_the_end(async move { apps::revoke(&session, &session.unlocked()?, app_id).await })
            .await?;
        Ok(Revoked {
            app_id: params.app_id,
        })
    })
}

/// What is committed also counts, when the caller left meanwhile: who may come in is known in two places.
async fn to_the_end<T: Send + 'static>(
    change: impl Future<Output = Result<T, connect_service::error::Error>> + Send + 'static,
) -> Result<T, Failure> {
    let changed = tokio::spawn(audit::carried(change)).await;
    Ok(changed.map_err(|_| Failure::internal("a change of the apps ended early"))??)
}

fn shape(app: StoredApp) -> App {
    let known = |word: &String| Scope::ALL.into_iter().find(|scope| scope.name() == word);
    App {
        app_id: app.app_id.to_string(),
        name: app.name,
        scopes: app.scopes.iter().filter_map(known).collect(),
        uid: app.uid,
        created_ms: app.created_ms,
        revoked_ms: app.revoked_ms,
    }
}
