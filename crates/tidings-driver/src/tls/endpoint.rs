//! One node's TLS: both sides of a handshake, and whom it proves the peer to be.

use std::sync::{Arc, PoisonError, RwLock};

use futures_io::{AsyncRead, AsyncWrite};
use futures_rustls::{TlsAcceptor, TlsConnector, TlsStream};
use rustls::CommonState;
use rustls::pki_types::ServerName;
use tidings_core::{CertificateNames, PeerIdentity, Transmit};

use super::certificate::names_of;
use super::{Configs, Refusal, Source, Tls, TlsError};
use crate::connection::{Failure, Stream};

/// What a running node does with its [`Tls`].
pub(crate) struct Endpoint {
    tls: Tls,
    tls_name: Option<String>,
    default_server_name: Option<ServerName<'static>>,
    /// What new connections use.
    configs: RwLock<Configs>,
}

impl Endpoint {
    /// Reads what is to be read, for a node with this `tls_name`.
    pub(crate) fn new(tls: Tls, tls_name: Option<String>) -> Result<Endpoint, TlsError> {
        let tls_name = tls_name.filter(|name| !name.is_empty());
        if tls_name.is_none() && !tls.server_only {
            return Err(TlsError::NoTlsName);
        }
        tls_name.as_ref().map(|name| server_name("tls_name", name)).transpose()?;
        let default = tls.default_server_name.as_ref();
        let default_server_name = default.map(|name| server_name("default_server_name", name)).transpose()?;
        let configs = match &tls.source {
            Source::Files(files) => checked(files.load(tls.server_only)?, tls_name.as_deref())?,
            Source::Configs(configs) => configs.clone(),
        };
        Ok(Endpoint { tls, tls_name, default_server_name, configs: RwLock::new(configs) })
    }

    /// Reads the files again; new connections use what is in them. After an error all is as it was.
    pub(crate) fn reload(&self) -> Result<(), TlsError> {
        let Source::Files(files) = &self.tls.source else { return Err(TlsError::NotFromFiles) };
        let configs = checked(files.load(self.tls.server_only)?, self.tls_name.as_deref())?;
        *self.configs.write().unwrap_or_else(PoisonError::into_inner) = configs;
        Ok(())
    }

    /// Makes sure of the peer that was dialled for `transmit`.
    pub(crate) async fn connect<S>(&self, stream: S, transmit: &Transmit) -> Result<(Stream, PeerIdentity), Failure>
    where
        S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
    {
        let name = self.expected_name(transmit).map_err(Failure::Tls)?;
        let connector = TlsConnector::from(self.configs().client);
        let stream = connector.connect(name, stream).await;
        // Whoever was dialled should speak TLS, so that even an end without a word is a refusal.
        let refusal = |error| Failure::Tls(Refusal::within(&error).unwrap_or(Refusal::Ended(error)));
        self.proved(TlsStream::Client(stream.map_err(refusal)?))
    }

    /// Makes sure of the peer that opened this connection. Where there is no agreement, the connection comes back.
    pub(crate) async fn accept<S>(&self, stream: S) -> Result<(Stream, PeerIdentity), (Failure, Option<Stream>)>
    where
        S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
    {
        let acceptor = TlsAcceptor::from(self.configs().server);
        match acceptor.accept(stream).into_fallible().await {
            Ok(stream) => self.proved(TlsStream::Server(stream)).map_err(|failure| (failure, None)),
            Err((error, stream)) => Err((error.into(), Some(Box::new(stream)))),
        }
    }

    fn configs(&self) -> Configs {
        self.configs.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// What the certificate of the node to be dialled has to be good for.
    fn expected_name(&self, transmit: &Transmit) -> Result<ServerName<'static>, Refusal> {
        let name = match (&transmit.tls_name, &self.default_server_name) {
            (Some(tls_name), _) => tls_name,
            (None, Some(default)) => return Ok(default.clone()),
            (None, None) => transmit.to.host(),
        };
        ServerName::try_from(name.to_owned()).map_err(|_| Refusal::BadName(name.to_owned()))
    }

    fn proved<S>(&self, stream: TlsStream<S>) -> Result<(Stream, PeerIdentity), Failure>
    where
        S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
    {
        let identity = self.identity(stream.get_ref().1).map_err(Failure::Tls)?;
        Ok((Box::new(stream), identity))
    }

    fn identity(&self, session: &CommonState) -> Result<PeerIdentity, Refusal> {
        let Some(certificate) = session.peer_certificates().and_then(<[_]>::first) else {
            return if self.tls.server_only { Ok(PeerIdentity::Anonymous) } else { Err(Refusal::NoCertificate) };
        };
        let names = names_of(certificate).map_err(|error| Refusal::UnreadableCertificate(error.to_string()))?;
        let names = Arc::new(names);
        Ok(if self.tls.server_only { PeerIdentity::Shown(names) } else { PeerIdentity::Demanded(names) })
    }
}

/// Refuses a certificate of one's own with which one could not speak.
fn checked((configs, held): (Configs, CertificateNames), tls_name: Option<&str>) -> Result<Configs, TlsError> {
    match tls_name {
        Some(tls_name) if !held.hold(tls_name) => Err(TlsError::TlsNameNotHeld { tls_name: tls_name.into(), held }),
        _ => Ok(configs),
    }
}

fn server_name(field: &'static str, name: &str) -> Result<ServerName<'static>, TlsError> {
    ServerName::try_from(name.to_owned()).map_err(|_| TlsError::Name { field, name: name.to_owned() })
}
