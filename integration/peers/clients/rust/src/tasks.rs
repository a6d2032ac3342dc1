//! The tasks of package report.

use std::io::{stdin, BufRead};
use std::sync::Mutex;
use std::time::Duration;

use futures_executor::block_on;
use rdkafka::admin::{AdminClient, AdminOptions, AlterConfig, NewTopic, ResourceSpecifier, TopicReplication};
use rdkafka::client::DefaultClientContext;
use rdkafka::config::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::message::{DeliveryResult, Header, Headers, OwnedHeaders};
use rdkafka::producer::{BaseProducer, BaseRecord, Producer, ProducerContext};
use rdkafka::{ClientContext, Message, Offset, TopicPartitionList};

use crate::Failure;

const TIMEOUT: Duration = Duration::from_secs(12);

/// Does the tasks that come in on standard input, until it ends.
pub fn work(address: &str) -> Result<(), Failure> {
    let tasks = Tasks { address };
    println!(r#"{{"event":"ready"}}"#);
    for line in stdin().lock().lines() {
        let line = line?;
        let words: Vec<&str> = line.split(' ').collect();
        match tasks.work(&words) {
            Ok(()) => println!(r#"{{"event":"done"}}"#),
            Err(e) => println!(r#"{{"event":"failed","why":"{}"}}"#, e.to_string().replace(['"', '\\', '\n'], " ")),
        }
    }
    Ok(())
}

/// Collects what could not be delivered.
#[derive(Default)]
struct Failures(Mutex<Vec<String>>);

impl ClientContext for Failures {}

impl ProducerContext for Failures {
    type DeliveryOpaque = ();

    fn delivery(&self, result: &DeliveryResult<'_>, _: ()) {
        if let Err((e, _)) = result {
            self.0.lock().unwrap().push(e.to_string());
        }
    }
}

struct Tasks<'a> {
    address: &'a str,
}

impl Tasks<'_> {
    fn work(&self, words: &[&str]) -> Result<(), Failure> {
        match *words {
            ["produce", topic, codec] => self.send(topic, 10, None, &[("compression.type", codec)]),
            ["idempotent", topic] => self.send(topic, 10, None, &[("enable.idempotence", "true")]),
            ["headers", topic] => {
                let headers = OwnedHeaders::new()
                    .insert(Header { key: "a", value: Some("1") })
                    .insert(Header { key: "b", value: Some("2") });
                self.send(topic, 1, Some(headers), &[])
            }
            ["consume", topic, count] => self.consume(topic, count.parse()?),
            ["look-up", topic, time] => self.look_up(topic, time.parse()?),
            ["create", topic] => {
                let new = NewTopic::new(topic, 3, TopicReplication::Fixed(1)).set("retention.ms", "3600000");
                one(block_on(self.admin()?.create_topics(&[new], &options()))?).map(drop)
            }
            ["describe", topic] => {
                let metadata = self.consumer()?.fetch_metadata(Some(topic), TIMEOUT)?;
                let count = metadata.topics().first().map_or(0, |t| t.partitions().len());
                println!(r#"{{"event":"topic","count":{count}}}"#);
                Ok(())
            }
            ["delete", topic] => one(block_on(self.admin()?.delete_topics(&[topic], &options()))?).map(drop),
            ["alter", topic, key, value] => {
                let change = AlterConfig::new(ResourceSpecifier::Topic(topic)).set(key, value);
                one(block_on(self.admin()?.alter_configs(&[change], &options()))?).map(drop)
            }
            ["configs", topic, key] => {
                let topic = ResourceSpecifier::Topic(topic);
                let resource = one(block_on(self.admin()?.describe_configs(&[topic], &options()))?)?;
                let value = resource.get(key).and_then(|e| e.value.clone()).unwrap_or_default();
                println!(r#"{{"event":"config","value":"{value}"}}"#);
                Ok(())
            }
            _ => Err(format!("no task {words:?}").into()),
        }
    }

    fn settings(&self) -> ClientConfig {
        let mut settings = ClientConfig::new();
        settings.set("bootstrap.servers", self.address);
        settings
    }

    fn admin(&self) -> Result<AdminClient<DefaultClientContext>, Failure> {
        Ok(self.settings().create()?)
    }

    fn consumer(&self) -> Result<BaseConsumer, Failure> {
        Ok(self.settings().set("group.id", "none").set("enable.auto.commit", "false").create()?)
    }

    fn send(&self, topic: &str, count: i32, headers: Option<OwnedHeaders>, settings: &[(&str, &str)]) -> Result<(), Failure> {
        let mut all = self.settings();
        for (key, value) in settings {
            all.set(*key, *value);
        }
        let producer: BaseProducer<Failures> = all.create_with_context(Failures::default())?;
        for i in 0..count {
            let (key, value) = (format!("k{i}"), format!("v{i}{}", ".".repeat(500)));
            let mut record = BaseRecord::to(topic).partition(0).key(&key).payload(&value);
            if let Some(headers) = &headers {
                record = record.headers(headers.clone());
            }
            producer.send(record).map_err(|(e, _)| e)?;
        }
        producer.flush(TIMEOUT)?;
        let failures = producer.context().0.lock().unwrap();
        if failures.is_empty() {
            return Ok(());
        }
        Err(failures.join(", ").into())
    }

    fn consume(&self, topic: &str, count: usize) -> Result<(), Failure> {
        let consumer = self.consumer()?;
        let mut list = TopicPartitionList::new();
        list.add_partition_offset(topic, 0, Offset::Beginning)?;
        consumer.assign(&list)?;
        for _ in 0..count {
            let m = consumer.poll(TIMEOUT).ok_or("no record in time")??;
            let text = |bytes: Option<&[u8]>| String::from_utf8_lossy(bytes.unwrap_or_default()).into_owned();
            let mut headers = Vec::new();
            for h in m.headers().into_iter().flat_map(|h| h.iter()) {
                headers.push(format!(r#""{}={}""#, h.key, text(h.value)));
            }
            println!(
                r#"{{"event":"record","partition":0,"offset":{},"timestamp":{},"key":"{}","value":"{}","headers":[{}]}}"#,
                m.offset(),
                m.timestamp().to_millis().unwrap_or(-1),
                text(m.key()),
                text(m.payload()),
                headers.join(","),
            );
        }
        Ok(())
    }

    fn look_up(&self, topic: &str, time: i64) -> Result<(), Failure> {
        let mut times = TopicPartitionList::new();
        times.add_partition_offset(topic, 0, Offset::Offset(time))?;
        let found = self.consumer()?.offsets_for_times(times, TIMEOUT)?;
        let elements = found.elements();
        let offset = elements.first().and_then(|e| e.offset().to_raw()).ok_or("no offset")?;
        println!(r#"{{"event":"offset","offset":{offset}}}"#);
        Ok(())
    }
}

fn options() -> AdminOptions {
    AdminOptions::new().request_timeout(Some(TIMEOUT)).operation_timeout(Some(TIMEOUT))
}

/// The answer for the one thing that was asked for.
fn one<T, K: std::fmt::Debug>(mut answers: Vec<Result<T, K>>) -> Result<T, Failure> {
    let answer = answers.pop().ok_or("no answer")?;
    answer.map_err(|e| format!("{e:?}").into())
}
