//! The kinds of values that settings have: how each is read from words or from TOML, and written.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use tidings_tokio::Address;
use toml::Value;

use super::settings::{LogFormat, Settings};

/// Finds a value of type `T` among the settings.
type Place<T> = fn(&mut Settings) -> &mut T;

/// Where a setting's value is kept, which says what it may be.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Field {
    Text(Place<String>),
    OptionalText(Place<Option<String>>),
    Address(Place<Address>),
    OptionalAddress(Place<Option<Address>>),
    Addresses(Place<Vec<Address>>),
    Pairs(Place<Vec<(String, String)>>),
    Time(Place<Duration>),
    OptionalTime(Place<Option<Duration>>),
    Count(Place<usize>),
    /// A count with bounds that nobody else checks.
    Bounded(Place<usize>, usize, usize),
    Number(Place<u32>),
    OptionalNumber(Place<Option<u64>>),
    Decimal(Place<f64>),
    Switch(Place<bool>),
    File(Place<Option<PathBuf>>),
    Socket(Place<Option<SocketAddr>>),
    LogFormat(Place<LogFormat>),
}

/// A value as it is given: words of a command line or the environment, or a value of a TOML file.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Given<'a> {
    Words(&'a [String]),
    Toml(&'a Value),
}

impl Field {
    /// Whether several may be given, one by one.
    pub(crate) fn is_list(&self) -> bool {
        matches!(self, Field::Addresses(_) | Field::Pairs(_))
    }

    /// Puts a value in its place.
    ///
    /// # Errors
    ///
    /// What to write instead; nothing has changed.
    pub(crate) fn put(&self, settings: &mut Settings, given: Given<'_>) -> Result<(), String> {
        match self {
            Field::Text(place) => *place(settings) = text(given)?.to_string(),
            Field::OptionalText(place) => *place(settings) = Some(text(given)?.to_string()),
            Field::Address(place) => *place(settings) = address(text(given)?)?,
            Field::OptionalAddress(place) => *place(settings) = Some(address(text(given)?)?),
            Field::Addresses(place) => {
                *place(settings) = texts(given)?.into_iter().map(address).collect::<Result<_, _>>()?;
            }
            Field::Pairs(place) => *place(settings) = pairs(given)?,
            Field::Time(place) => *place(settings) = time(given)?,
            Field::OptionalTime(place) => *place(settings) = Some(time(given)?),
            Field::Count(place) => *place(settings) = whole(given)?,
            Field::Bounded(place, least, most) => *place(settings) = bounded(given, *least..=*most)?,
            Field::Number(place) => *place(settings) = whole(given)?,
            Field::OptionalNumber(place) => *place(settings) = Some(whole(given)?),
            Field::Decimal(place) => *place(settings) = decimal(given)?,
            Field::Switch(place) => *place(settings) = switch(given)?,
            Field::File(place) => *place(settings) = Some(file(given)?),
            Field::Socket(place) => *place(settings) = Some(socket(text(given)?)?),
            Field::LogFormat(place) => *place(settings) = log_format(given)?,
        }
        Ok(())
    }

    /// The value in TOML; `None`: it has none.
    pub(crate) fn toml(&self, settings: &mut Settings) -> Option<String> {
        Some(match self {
            Field::Text(place) => Some(place(settings)).filter(|text| !text.is_empty()).map(|text| quoted(text))?,
            Field::OptionalText(place) => quoted(place(settings).as_deref()?),
            Field::Address(place) => quoted(&place(settings).to_string()),
            Field::OptionalAddress(place) => quoted(&place(settings).as_ref()?.to_string()),
            Field::Addresses(place) => {
                let addresses: Vec<_> = place(settings).iter().map(|address| quoted(&address.to_string())).collect();
                format!("[{}]", addresses.join(", "))
            }
            Field::Pairs(place) => {
                let pairs = place(settings).iter().map(|(key, value)| format!("{} = {}", quoted(key), quoted(value)));
                match pairs.collect::<Vec<_>>().join(", ") {
                    pairs if pairs.is_empty() => "{}".to_string(),
                    pairs => format!("{{ {pairs} }}"),
                }
            }
            Field::Time(place) => quoted(&humantime::format_duration(*place(settings)).to_string()),
            Field::OptionalTime(place) => quoted(&humantime::format_duration((*place(settings))?).to_string()),
            Field::Count(place) | Field::Bounded(place, ..) => place(settings).to_string(),
            Field::Number(place) => place(settings).to_string(),
            Field::OptionalNumber(place) => (*place(settings))?.to_string(),
            Field::Decimal(place) => format!("{:?}", place(settings)),
            Field::Switch(place) => place(settings).to_string(),
            Field::File(place) => quoted(&place(settings).as_ref()?.display().to_string()),
            Field::Socket(place) => quoted(&(*place(settings))?.to_string()),
            Field::LogFormat(place) => quoted(&place(settings).to_string()),
        })
    }
}

/// A TOML string.
fn quoted(text: &str) -> String {
    Value::from(text).to_string()
}

/// The one word or string; of several words the last.
fn text(given: Given<'_>) -> Result<&str, String> {
    match given {
        Given::Words(words) => words.last().map(String::as_str),
        Given::Toml(value) => value.as_str(),
    }
    .ok_or_else(|| r#"write a text in quotes, as in "one""#.to_string())
}

fn texts(given: Given<'_>) -> Result<Vec<&str>, String> {
    let wanted = || r#"write a list of texts, as in ["a:1", "b:2"]"#.to_string();
    match given {
        Given::Words(words) => Ok(words.iter().map(String::as_str).collect()),
        Given::Toml(value) => {
            value.as_array().ok_or_else(wanted)?.iter().map(|item| item.as_str().ok_or_else(wanted)).collect()
        }
    }
}

fn address(text: &str) -> Result<Address, String> {
    text.parse().map_err(|error: tidings_tokio::core::ParseAddressError| error.to_string())
}

fn pairs(given: Given<'_>) -> Result<Vec<(String, String)>, String> {
    match given {
        Given::Words(words) => words
            .iter()
            .map(|word| {
                let (key, value) = word.split_once('=').ok_or("write KEY=VALUE, as in role=web")?;
                Ok((key.to_string(), value.to_string()))
            })
            .collect(),
        Given::Toml(value) => {
            let wanted = || r#"write a table of texts, as in { role = "web" }"#.to_string();
            let pair =
                |(key, value): (&String, &Value)| Ok((key.clone(), value.as_str().ok_or_else(wanted)?.to_string()));
            value.as_table().ok_or_else(wanted)?.iter().map(pair).collect()
        }
    }
}

fn time(given: Given<'_>) -> Result<Duration, String> {
    let wanted = r#"write a time with its unit, as in "200ms", "1s" or "2h""#;
    let text = text(given).map_err(|_| wanted.to_string())?;
    humantime::parse_duration(text).map_err(|error| format!("{error}; {wanted}"))
}

fn whole<T: TryFrom<i64> + FromStr>(given: Given<'_>) -> Result<T, String> {
    match given {
        Given::Words(words) => words.last().and_then(|word| word.parse().ok()),
        Given::Toml(value) => value.as_integer().and_then(|number| number.try_into().ok()),
    }
    .ok_or_else(|| "write a whole number without a sign".to_string())
}

fn bounded(given: Given<'_>, range: RangeInclusive<usize>) -> Result<usize, String> {
    let count = whole(given)?;
    if range.contains(&count) { Ok(count) } else { Err(format!("allowed: {} to {}", range.start(), range.end())) }
}

fn decimal(given: Given<'_>) -> Result<f64, String> {
    match given {
        Given::Words(words) => words.last().and_then(|word| word.parse().ok()),
        Given::Toml(Value::Integer(number)) => i32::try_from(*number).ok().map(f64::from),
        Given::Toml(value) => value.as_float(),
    }
    .ok_or_else(|| "write a number, as in 8.0".to_string())
}

fn switch(given: Given<'_>) -> Result<bool, String> {
    match given {
        Given::Words(words) => words.last().and_then(|word| word.parse().ok()),
        Given::Toml(value) => value.as_bool(),
    }
    .ok_or_else(|| "write true or false".to_string())
}

fn file(given: Given<'_>) -> Result<PathBuf, String> {
    let path = text(given)?;
    if path.is_empty() { Err("write the path of a file".to_string()) } else { Ok(path.into()) }
}

pub(crate) fn socket(text: &str) -> Result<SocketAddr, String> {
    match text.strip_prefix("localhost:") {
        Some(port) => port.parse().map(|port| SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), port)).ok(),
        None => text.parse().ok(),
    }
    .ok_or_else(|| "write an IP address and a port, as in 127.0.0.1:8000, [::1]:8000 or localhost:8000".to_string())
}

fn log_format(given: Given<'_>) -> Result<LogFormat, String> {
    match text(given)? {
        "text" => Ok(LogFormat::Text),
        "json" => Ok(LogFormat::Json),
        _ => Err("write text or json".to_string()),
    }
}
