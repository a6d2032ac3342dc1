//! A worker of packages story and report for rdkafka.
//!
//! usage: worker STRATEGY ADDRESS TOPIC GROUP NAME
//!        worker tasks ADDRESS
//! STRATEGY: range (eager), cooperative-sticky, or consumer for the protocol of KIP-848

mod member;
mod tasks;

use std::error::Error;

/// What any step may fail with.
pub type Failure = Box<dyn Error + Send + Sync>;

fn main() -> Result<(), Failure> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = args.iter().map(String::as_str).collect();
    match words[..] {
        ["tasks", address] => tasks::work(address),
        [strategy, address, topic, group, name] => member::work(strategy, address, topic, group, name),
        _ => Err("usage: worker STRATEGY ADDRESS TOPIC GROUP NAME, or worker tasks ADDRESS".into()),
    }
}
