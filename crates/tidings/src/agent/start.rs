//! A node from the agent's settings.

use tidings_tokio::{Address, Builder, Cluster, StartError};

use super::AgentError;
use super::config::{ConfigError, Loaded, Settings};

/// Starts the node that the settings describe.
pub(super) async fn start(loaded: &Loaded) -> Result<Cluster, AgentError> {
    let builder = with_tls(builder(&loaded.settings), &loaded.settings)?;
    builder.start().await.map_err(|source| {
        let origin = to_blame(&source).and_then(|name| loaded.origin(name)).map(ToString::to_string);
        AgentError::Start { origin, source: Box::new(source) }
    })
}

fn builder(settings: &Settings) -> Builder {
    let protocol = settings.protocol.clone();
    let mut builder = Cluster::builder(&settings.name)
        .listen(settings.listen.to_string())
        .seeds(settings.seeds.iter().map(Address::to_string))
        .key_values(settings.key_values.iter().cloned())
        .resolve_interval(settings.resolve_interval)
        .leave_timeout(settings.leave_timeout)
        .shutdown_timeout(settings.shutdown_timeout)
        .event_buffer(settings.event_buffer)
        .config(move |config| {
            let seeds = std::mem::take(&mut config.seeds);
            *config = protocol;
            config.seeds = seeds;
        });
    if let Some(advertise) = &settings.advertise {
        builder = builder.advertise(advertise.to_string());
    }
    if let Some(generation) = settings.generation {
        builder = builder.generation(generation);
    }
    match &settings.tls.name {
        Some(name) => builder.tls_name(name),
        None => builder,
    }
}

#[cfg(feature = "tls")]
fn with_tls(builder: Builder, settings: &Settings) -> Result<Builder, ConfigError> {
    let tls = &settings.tls;
    let files = [("tls.certificates", &tls.certificates), ("tls.key", &tls.key), ("tls.authorities", &tls.authorities)];
    let [Some(certificates), Some(key), Some(authorities)] = files.map(|(_, file)| file.clone()) else {
        // None of them: without TLS. Some: the others are missing.
        let missing =
            files.iter().find(|(_, file)| file.is_none()).filter(|_| files.iter().any(|(_, file)| file.is_some()));
        return match missing {
            Some((name, _)) => Err(ConfigError::Missing {
                name,
                advice: "TLS needs tls.certificates, tls.key and tls.authorities, a PEM file each".to_string(),
            }),
            None => Ok(builder),
        };
    };
    let mut files = tidings_tokio::Tls::from_pem_files(certificates, key, authorities);
    if let Some(name) = &tls.default_server_name {
        files = files.default_server_name(name);
    }
    if tls.server_only {
        files = files.server_only();
    }
    Ok(builder.tls(files))
}

#[cfg(not(feature = "tls"))]
fn with_tls(builder: Builder, settings: &Settings) -> Result<Builder, ConfigError> {
    let tls = &settings.tls;
    let files = [("tls.certificates", &tls.certificates), ("tls.key", &tls.key), ("tls.authorities", &tls.authorities)];
    match files.iter().find_map(|(name, file)| Some((*name, file.as_ref()?))) {
        Some((name, file)) => Err(ConfigError::Value {
            origin: "this program".to_string(),
            name,
            value: format!("{:?}", file.display()),
            advice: "it was built without TLS; build it with its feature tls".to_string(),
        }),
        None => Ok(builder),
    }
}

/// The setting that an error is about.
fn to_blame(error: &StartError) -> Option<&'static str> {
    match error {
        StartError::Resolve { .. } | StartError::Listen { .. } => Some("listen"),
        StartError::AdvertiseUnspecified { .. } => Some("advertise"),
        StartError::Setting { field, .. } => Some(field),
        StartError::KeyValue { .. } => Some("key_values"),
        StartError::Config(error) => Some(match error.field {
            "node_id.name" => "name",
            "node_id.tls_name" => "tls.name",
            "node_id.gossip_advertise_addr.host" | "node_id.gossip_advertise_addr.port" => "advertise",
            "seeds.host" | "seeds.port" => "seeds",
            "exchange_timeouts.connect" => "connect_timeout",
            "exchange_timeouts.packet" => "packet_timeout",
            "exchange_timeouts.whole" => "exchange_timeout",
            field => field,
        }),
        _ => None,
    }
}
