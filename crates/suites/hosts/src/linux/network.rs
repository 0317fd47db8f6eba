//! Hosts, each in a namespace of its own, on one switch.

use std::fmt::Write as _;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use anyhow::{Context, Result};

use crate::linux::fault::{self, Drops, Rule};
use crate::linux::namespace::Namespace;

const GOSSIP_PORT: u16 = 7000;
const HTTP_PORT: u16 = 8000;
/// Under a name that is reserved for tests (RFC 6761).
const DOMAIN: &str = "tidings.test";

/// How hosts name each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Addressing {
    /// By IPv4 address.
    Ipv4,
    /// By IPv6 address; there is no IPv4 address on any of them, not even on loopback.
    Ipv6,
    /// By host name, which each host's /etc/hosts maps to an IPv4 address.
    Names,
}

/// Hosts on one switch, which is a bridge in a namespace of its own. Nothing of it is in the machine's own network.
#[derive(Debug)]
pub(crate) struct Network {
    hosts: Vec<Host>,
    switch: Namespace,
    has_fault: bool,
}

/// One host: an interface `eth0` on the switch, and a loopback interface.
#[derive(Debug)]
pub(crate) struct Host {
    name: String,
    namespace: Namespace,
    addressing: Addressing,
    address: IpAddr,
}

impl Network {
    /// Makes `count` hosts, named host-1, host-2, ...
    pub(crate) fn create(count: u8, addressing: Addressing) -> Result<Network> {
        let switch = Namespace::create("switch")?;
        // Without snooping, multicast (and with it IPv6's neighbour discovery) goes to all ports at once.
        switch.ip("link add lan type bridge mcast_snooping 0\nlink set lan up\n")?;
        let mut network = Network { hosts: Vec::new(), switch, has_fault: false };
        for number in 1..=count {
            network.hosts.push(Host::create(number, addressing, &network.switch)?);
        }
        network.write_hosts_files()?;
        Ok(network)
    }

    /// All hosts, in the order of their numbers.
    pub(crate) fn hosts(&self) -> &[Host] {
        &self.hosts
    }

    /// The host of this name.
    pub(crate) fn host(&self, name: &str) -> Result<&Host> {
        self.hosts.iter().find(|host| host.name == name).with_context(|| format!("there is no {name}"))
    }

    /// Pulls the host's cable out of the switch, or puts it in again.
    pub(crate) fn set_link(&self, host: &str, is_up: bool) -> Result<()> {
        let state = if is_up { "up" } else { "down" };
        self.switch.ip(&format!("link set {host} {state}\n"))
    }

    /// Lets the switch drop what the rules say, until [`heal`](Network::heal).
    pub(crate) fn break_it(&mut self, rules: &[Rule<'_>]) -> Result<()> {
        fault::install(&self.switch, rules)?;
        self.has_fault = true;
        Ok(())
    }

    /// Lets the switch forward everything again, and says what it dropped meanwhile.
    pub(crate) fn heal(&mut self) -> Result<Drops> {
        self.has_fault = false;
        fault::remove(&self.switch)
    }

    /// Whether the switch has rules to drop something.
    pub(crate) const fn has_fault(&self) -> bool {
        self.has_fault
    }

    /// Gives the host another address under its old name.
    pub(crate) fn renumber(&mut self, name: &str, address: Ipv4Addr) -> Result<()> {
        let host =
            self.hosts.iter_mut().find(|host| host.name == name).with_context(|| format!("there is no {name}"))?;
        host.namespace.ip(&format!("addr flush dev eth0\naddr add {address}/24 dev eth0\n"))?;
        host.address = address.into();
        self.write_hosts_files()
    }

    fn write_hosts_files(&self) -> Result<()> {
        let mut content = "127.0.0.1 localhost\n".to_owned();
        for host in self.hosts.iter().filter(|host| host.addressing == Addressing::Names) {
            let _ = writeln!(content, "{} {}.{DOMAIN}", host.address, host.name);
        }
        let mut named = self.hosts.iter().filter(|host| host.addressing == Addressing::Names);
        named.try_for_each(|host| host.namespace.write_file("hosts", &content))
    }
}

impl Host {
    fn create(number: u8, addressing: Addressing, switch: &Namespace) -> Result<Host> {
        let name = format!("host-{number}");
        let namespace = Namespace::create(&name)?;
        let address: IpAddr = match addressing {
            Addressing::Ipv4 | Addressing::Names => Ipv4Addr::new(10, 77, 0, number).into(),
            Addressing::Ipv6 => Ipv6Addr::new(0xfd77, 0, 0, 0, 0, 0, 0, number.into()).into(),
        };
        switch.ip(&format!(
            "link add {name} type veth peer name eth0 netns {}\nlink set {name} master lan up\n",
            namespace.name()
        ))?;
        // Nobody else can have the address, so it need not be probed for (nodad) before it is used.
        let addresses = match addressing {
            Addressing::Ipv4 | Addressing::Names => format!("addr add {address}/24 dev eth0\n"),
            Addressing::Ipv6 => format!("addr add {address}/64 dev eth0 nodad\naddr del 127.0.0.1/8 dev lo\n"),
        };
        namespace.ip(&format!("link set lo up\nlink set eth0 up\n{addresses}"))?;
        Ok(Host { name, namespace, addressing, address })
    }

    /// Its name.
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// Where its programs and sockets live.
    pub(crate) const fn namespace(&self) -> &Namespace {
        &self.namespace
    }

    /// Where others reach its agent.
    pub(crate) fn gossip_address(&self) -> String {
        match self.addressing {
            Addressing::Names => format!("{}.{DOMAIN}:{GOSSIP_PORT}", self.name),
            Addressing::Ipv4 | Addressing::Ipv6 => self.socket_address(GOSSIP_PORT),
        }
    }

    /// Where its agent listens. One with a name listens everywhere, since its address may change.
    pub(crate) fn listen_address(&self) -> String {
        match self.addressing {
            Addressing::Names => format!("0.0.0.0:{GOSSIP_PORT}"),
            Addressing::Ipv4 | Addressing::Ipv6 => self.socket_address(GOSSIP_PORT),
        }
    }

    /// Where its agent serves HTTP, on loopback.
    pub(crate) fn http_address(&self) -> String {
        match self.addressing {
            Addressing::Ipv6 => format!("[::1]:{HTTP_PORT}"),
            Addressing::Ipv4 | Addressing::Names => format!("127.0.0.1:{HTTP_PORT}"),
        }
    }

    fn socket_address(&self, port: u16) -> String {
        SocketAddr::new(self.address, port).to_string()
    }
}
