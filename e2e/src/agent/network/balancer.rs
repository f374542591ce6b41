//! Load balancers: what Octavia's amphora would forward, forwarded from the router's namespace.

use std::{
    collections::{BTreeMap, HashMap},
    net::{IpAddr, Ipv4Addr, SocketAddr, SocketAddrV4},
    sync::{Arc, Mutex, PoisonError},
    thread,
    time::{Duration, Instant},
};

use anyhow::Result;
use ipnet::Ipv4Net;
use tokio::{
    io::copy_bidirectional,
    net::{TcpListener, TcpStream},
    sync::watch,
    task::JoinSet,
    time::{sleep, timeout},
};

use crate::{agent::log, netns};

/// One listener of a load balancer and the members behind it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Balancer {
    pub vip: Ipv4Addr,
    pub port: u16,
    /// Sources that may connect; None: everybody.
    pub allowed: Option<Vec<Ipv4Net>>,
    pub members: Vec<SocketAddrV4>,
}

/// The forwarding threads: one for each router's namespace, because a socket belongs to the namespace that its
/// thread was in.
#[derive(Default)]
pub struct Balancers {
    threads: BTreeMap<String, watch::Sender<Vec<Balancer>>>,
}

impl Balancers {
    /// Serves `balancers`, and these only, in a router's namespace.
    pub fn set(&mut self, netns: &str, balancers: Vec<Balancer>) -> Result<()> {
        if let Some(thread) = self.threads.get(netns).filter(|t| !t.is_closed()) {
            thread.send_replace(balancers);
            return Ok(());
        }
        if balancers.is_empty() {
            return Ok(());
        }
        let (sender, receiver) = watch::channel(balancers);
        let name = netns.to_owned();
        thread::Builder::new()
            .name("balancer".to_owned())
            .spawn(move || {
                if let Err(e) = serve(&name, receiver) {
                    log(format_args!("load balancers in {name}: {e:#}"));
                }
            })?;
        self.threads.insert(netns.to_owned(), sender);
        Ok(())
    }

    /// Stops the thread of a namespace: its sockets would keep the namespace alive.
    pub fn remove(&mut self, netns: &str) {
        self.threads.remove(netns);
    }
}

/// Until the sender is dropped.
fn serve(netns: &str, mut wanted: watch::Receiver<Vec<Balancer>>) -> Result<()> {
    netns::enter_named(netns)?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    runtime.block_on(async {
        let mut running: BTreeMap<(Ipv4Addr, u16), (watch::Sender<Balancer>, JoinSet<()>)> =
            BTreeMap::new();
        loop {
            let now = wanted.borrow_and_update().clone();
            running.retain(|key, _| now.iter().any(|b| (b.vip, b.port) == *key));
            for balancer in now {
                if let Some((sender, _)) = running.get(&(balancer.vip, balancer.port)) {
                    sender.send_if_modified(|old| {
                        *old != balancer && {
                            *old = balancer;
                            true
                        }
                    });
                    continue;
                }
                let key = (balancer.vip, balancer.port);
                let (sender, receiver) = watch::channel(balancer);
                let mut tasks = JoinSet::new();
                tasks.spawn(listen(receiver));
                running.insert(key, (sender, tasks));
            }
            if wanted.changed().await.is_err() {
                return Ok(());
            }
        }
    })
}

/// Accepts connections of one listener. Dropping the future drops its connections.
async fn listen(balancer: watch::Receiver<Balancer>) {
    let address = {
        let b = balancer.borrow();
        SocketAddr::from((b.vip, b.port))
    };
    let listener = loop {
        match TcpListener::bind(address).await {
            Ok(listener) => break listener,
            Err(e) => log(format_args!("load balancer {address}: {e}")),
        }
        sleep(Duration::from_secs(1)).await;
    };
    let health = Arc::new(Health::default());
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((client, source)) if allowed(balancer.borrow().allowed.as_deref(), source.ip()) => {
                    connections.spawn(forward(client, balancer.clone(), health.clone()));
                }
                // Not allowed, or gone before it was accepted: closed by dropping it.
                _ => {}
            },
            Some(_) = connections.join_next() => {}
        }
    }
}

fn allowed(cidrs: Option<&[Ipv4Net]>, source: IpAddr) -> bool {
    let among = |cidrs: &[Ipv4Net]| matches!(source, IpAddr::V4(ip) if cidrs.iter().any(|c| c.contains(&ip)));
    cidrs.is_none_or(among)
}

/// One connection, for as long as its member is one.
async fn forward(
    mut client: TcpStream,
    mut balancer: watch::Receiver<Balancer>,
    health: Arc<Health>,
) {
    let members = balancer.borrow_and_update().members.clone();
    for member in health.order(members) {
        match timeout(Health::CONNECT, TcpStream::connect(SocketAddr::V4(member))).await {
            Ok(Ok(mut upstream)) => {
                health.up(member);
                tokio::select! {
                    // Either side may end it in its own way; nobody is left to be told.
                    _ = copy_bidirectional(&mut client, &mut upstream) => {}
                    _ = balancer.wait_for(|b| !b.members.contains(&member)) => {}
                }
                return;
            }
            _ => health.down(member),
        }
    }
}

/// Which members did not answer lately. Octavia's monitors only matter by what they say; here every connection checks.
#[derive(Default)]
struct Health {
    state: Mutex<(usize, HashMap<SocketAddrV4, Instant>)>,
}

impl Health {
    /// How long a member may take to accept.
    const CONNECT: Duration = Duration::from_secs(1);
    /// How long one that did not is tried last.
    const DOWN: Duration = Duration::from_secs(3);

    /// Round robin; those that were down come last.
    fn order(&self, mut members: Vec<SocketAddrV4>) -> Vec<SocketAddrV4> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if !members.is_empty() {
            let turn = state.0 % members.len();
            members.rotate_left(turn);
        }
        state.0 = state.0.wrapping_add(1);
        members.sort_by_key(|m| {
            state
                .1
                .get(m)
                .is_some_and(|since| since.elapsed() < Self::DOWN)
        });
        members
    }

    fn up(&self, member: SocketAddrV4) {
        self.state
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .1
            .remove(&member);
    }

    fn down(&self, member: SocketAddrV4) {
        self.state
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .1
            .insert(member, Instant::now());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sources_are_checked_against_allowed_cidrs() {
        let cidrs: Vec<Ipv4Net> = vec![
            "10.8.0.0/24".parse().unwrap(),
            "172.29.0.9/32".parse().unwrap(),
        ];
        assert!(allowed(None, "192.0.2.1".parse().unwrap()));
        assert!(allowed(Some(&cidrs), "10.8.0.7".parse().unwrap()));
        assert!(!allowed(Some(&cidrs), "172.29.0.1".parse().unwrap()));
    }

    #[test]
    fn a_member_that_did_not_answer_comes_last() {
        let health = Health::default();
        let members: Vec<SocketAddrV4> =
            vec!["10.0.0.1:1".parse().unwrap(), "10.0.0.2:1".parse().unwrap()];
        health.down(members[0]);
        for _ in 0..3 {
            assert_eq!(health.order(members.clone())[0], members[1]);
        }
        health.up(members[0]);
        assert_ne!(health.order(members.clone())[0], health.order(members)[0]);
    }

    #[tokio::test]
    async fn it_forwards_to_members_of_this_moment() {
        let backend = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let SocketAddr::V4(member) = backend.local_addr().unwrap() else {
            panic!("IPv4")
        };
        let free = TcpListener::bind("127.0.0.1:0")
            .await
            .unwrap()
            .local_addr()
            .unwrap();
        let balancer = Balancer {
            vip: Ipv4Addr::LOCALHOST,
            port: free.port(),
            allowed: None,
            members: vec![member],
        };
        let (sender, receiver) = watch::channel(balancer);
        let task = tokio::spawn(listen(receiver));
        let connect = async {
            loop {
                match TcpStream::connect(free).await {
                    Ok(stream) => break stream,
                    Err(_) => tokio::task::yield_now().await,
                }
            }
        };
        let client = timeout(Duration::from_secs(5), connect).await.unwrap();
        let (_upstream, _) = timeout(Duration::from_secs(5), backend.accept())
            .await
            .unwrap()
            .unwrap();
        sender.send_modify(|b| b.members.clear());
        // The connection ends with the membership.
        timeout(Duration::from_secs(5), client.readable())
            .await
            .unwrap()
            .unwrap();
        assert_eq!(client.try_read(&mut [0; 1]).unwrap(), 0);
        task.abort();
    }
}
