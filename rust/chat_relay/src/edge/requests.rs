//! Requests that the home answers.

use std::time::Duration;

use chat_compat::{Request, Response};
use chat_socketio::{EngineRequest, HttpAnswer};
use tokio::sync::oneshot;
use tokio::time::timeout;

use super::Edge;
use crate::wire::{Blob, CompatAsked, EngineAsked, ToHome};

/// Longer than a poll that brings nothing.
const ENGINE_PATIENCE: Duration = Duration::from_secs(10);
const COMPAT_PATIENCE: Duration = Duration::from_secs(30);

/// Who waits for an answer.
pub(super) enum Waiting {
    Engine(oneshot::Sender<HttpAnswer>),
    Compat(oneshot::Sender<Response>),
}

/// Nobody waits any more once this is dropped.
struct Forget<'a>(&'a Edge, u64);

impl Drop for Forget<'_> {
    fn drop(&mut self) {
        self.0.lock().requests.remove(&self.1);
    }
}

impl Edge {
    /// None if the home does not answer.
    pub(crate) async fn ask_engine(
        &self,
        path: &str,
        method: &str,
        request: &EngineRequest,
        body: &[u8],
    ) -> Option<HttpAnswer> {
        let asked = EngineAsked::new(path, method, request);
        let said = |request| ToHome::Engine {
            request,
            asked,
            body: Blob(body),
        };
        let answer = self.ask(Waiting::Engine, said, ENGINE_PATIENCE).await;
        if answer.is_none() {
            // What the answer would have carried is lost.
            self.abandon(path, request);
        }
        answer
    }

    /// The client of a request to the engine did not wait for its answer.
    pub(crate) fn abandon(&self, path: &str, request: &EngineRequest) {
        let asked = EngineAsked::new(path, "", request);
        self.lock().say(&self.cluster, ToHome::Abandon { asked });
    }

    /// None if the home does not answer.
    pub(crate) async fn ask_compat(&self, asked: &Request) -> Option<Response> {
        let asked = CompatAsked::from(asked);
        let said = |request| ToHome::Compat { request, asked };
        self.ask(Waiting::Compat, said, COMPAT_PATIENCE).await
    }

    async fn ask<'a, A>(
        &self,
        waiting: impl FnOnce(oneshot::Sender<A>) -> Waiting,
        said: impl FnOnce(u64) -> ToHome<'a>,
        patience: Duration,
    ) -> Option<A> {
        let (sender, answer) = oneshot::channel();
        let request = {
            let mut state = self.lock();
            state.home?;
            let request = state.next_id();
            state.requests.insert(request, waiting(sender));
            state.say(&self.cluster, said(request));
            request
        };
        let _forget = Forget(self, request);
        timeout(patience, answer).await.ok()?.ok()
    }

    pub(super) fn answered(&self, request: u64, answer: impl FnOnce(Waiting)) {
        // Who did not wait long enough is not there any more.
        let waiting = self.lock().requests.remove(&request);
        if let Some(waiting) = waiting {
            answer(waiting);
        }
    }
}
