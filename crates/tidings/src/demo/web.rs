//! The demo's page: one address for all nodes, each with its API under a path of its own.

use std::io;
use std::sync::{Arc, PoisonError, RwLock};

use axum::Router;
use axum::extract::Request;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use tidings_tokio::Cluster;
use tokio::net::TcpListener;
use tower_service::Service as _;

use crate::agent::Settings;
use crate::agent::http::server::Server;
use crate::agent::http::{self, ClusterApi, Problem};
use crate::page::{self, PageNode};

/// The server and the ways through it.
pub(crate) struct Web {
    doors: Vec<Door>,
    server: Server,
}

/// The way to one node through all its runs. While the node is killed it is shut.
#[derive(Clone)]
struct Door {
    name: Arc<str>,
    router: Arc<RwLock<Option<Router>>>,
}

impl Web {
    /// Serves these nodes, which run, in the order in which they are to be offered.
    pub(crate) fn serve(listener: TcpListener, nodes: &[&Cluster]) -> io::Result<Web> {
        let doors: Vec<Door> = nodes.iter().map(|cluster| Door::open_to(cluster)).collect();
        let pages = doors.iter().map(|door| PageNode { name: door.name.to_string(), api: door.path() }).collect();
        let mut router =
            page::router(pages).fallback(http::unknown_path).method_not_allowed_fallback(http::wrong_method);
        for door in &doors {
            let path = door.path();
            let door = door.clone();
            router = router.nest(&path, Router::new().fallback(async move |request| door.pass(request).await));
        }
        let app = http::access::for_this_machine(router);
        let server = Server::start(listener, app, Settings::default().http.patience())?;
        Ok(Web { doors, server })
    }

    /// Where a browser finds the page.
    pub(crate) fn url(&self) -> String {
        format!("http://{}/", self.server.address)
    }

    /// Lets go of a node, which is to be killed: no handle to it stays here.
    pub(crate) fn shut(&self, index: usize) {
        if let Some(door) = self.doors.get(index) {
            door.set(None);
        }
    }

    /// Serves a node that was started again.
    pub(crate) fn open(&self, index: usize, cluster: &Cluster) {
        if let Some(door) = self.doors.get(index) {
            door.set(Some(router(cluster)));
        }
    }

    /// Lets go of all nodes and ends the server.
    pub(crate) async fn stop(self) {
        self.doors.iter().for_each(|door| door.set(None));
        self.server.stop().await;
    }
}

fn router(cluster: &Cluster) -> Router {
    http::router(ClusterApi::new(cluster.clone(), Settings::default().http.max_streams, None))
}

impl Door {
    fn open_to(cluster: &Cluster) -> Door {
        Door { name: cluster.id().name().into(), router: Arc::new(RwLock::new(Some(router(cluster)))) }
    }

    fn path(&self) -> String {
        format!("/nodes/{}", self.name)
    }

    fn set(&self, router: Option<Router>) {
        *self.router.write().unwrap_or_else(PoisonError::into_inner) = router;
    }

    async fn pass(&self, request: Request) -> Response {
        let router = self.router.read().unwrap_or_else(PoisonError::into_inner).clone();
        let Some(mut router) = router else { return self.is_shut().into_response() };
        match router.call(request).await {
            Ok(response) => response,
            Err(never) => match never {},
        }
    }

    fn is_shut(&self) -> Problem {
        let detail =
            format!("the demo has killed {}, and will start it again; try again, or ask another node", self.name);
        Problem::new(StatusCode::SERVICE_UNAVAILABLE, "node-down", detail).header("retry-after", "1")
    }
}
