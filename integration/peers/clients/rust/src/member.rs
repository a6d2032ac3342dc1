//! A member of a group, as package story wants it.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use rdkafka::config::ClientConfig;
use rdkafka::consumer::{BaseConsumer, CommitMode, Consumer, ConsumerContext, Rebalance};
use rdkafka::{ClientContext, Message};

use crate::Failure;

/// Tells of every change of what is owned; librdkafka does not tell the generation.
#[derive(Default)]
struct Owned(Mutex<BTreeSet<i32>>);

impl ClientContext for Owned {}

impl ConsumerContext for Owned {
    fn pre_rebalance(&self, _: &BaseConsumer<Self>, change: &Rebalance<'_>) {
        let mut owned = self.0.lock().unwrap();
        match change {
            Rebalance::Assign(list) => owned.extend(list.elements().iter().map(|e| e.partition())),
            Rebalance::Revoke(list) => {
                for e in list.elements() {
                    owned.remove(&e.partition());
                }
            }
            Rebalance::Error(e) => eprintln!("rebalance: {e}"),
        }
        let partitions: Vec<String> = owned.iter().map(i32::to_string).collect();
        println!(r#"{{"event":"owns","generation":-1,"partitions":[{}]}}"#, partitions.join(","));
    }
}

pub fn work(strategy: &str, address: &str, topic: &str, group: &str, name: &str) -> Result<(), Failure> {
    let leaving = Arc::new(AtomicBool::new(false));
    signal_hook::flag::register(signal_hook::consts::SIGTERM, leaving.clone())?;
    let mut settings = ClientConfig::new();
    settings
        .set("bootstrap.servers", address)
        .set("group.id", group)
        .set("client.id", name)
        .set("auto.offset.reset", "earliest")
        .set("enable.auto.commit", "false")
        .set("fetch.wait.max.ms", "300")
        .set("reconnect.backoff.max.ms", "500");
    if strategy == "consumer" {
        settings.set("group.protocol", "consumer");
    } else {
        settings
            .set("partition.assignment.strategy", strategy)
            .set("session.timeout.ms", "3000")
            .set("heartbeat.interval.ms", "300");
    }
    let consumer: BaseConsumer<Owned> = settings.create_with_context(Owned::default())?;
    consumer.subscribe(&[topic])?;
    while !leaving.load(Ordering::Relaxed) {
        let message = match consumer.poll(Duration::from_millis(200)) {
            None => continue,
            Some(Err(e)) => {
                eprintln!("poll: {e}");
                continue;
            }
            Some(Ok(message)) => message,
        };
        let (partition, offset) = (message.partition(), message.offset());
        let value = String::from_utf8_lossy(message.payload().unwrap_or_default());
        println!(r#"{{"event":"record","partition":{partition},"offset":{offset},"value":"{value}"}}"#);
        // A commit that fails is made good by a later one, or by who reads the record again.
        match consumer.commit_message(&message, CommitMode::Sync) {
            Ok(()) => println!(r#"{{"event":"committed","partition":{partition},"offset":{}}}"#, offset + 1),
            Err(e) => eprintln!("commit: {e}"),
        }
    }
    Ok(()) // the consumer leaves when it is dropped
}
