import java.time.Duration;
import java.util.Collection;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Properties;
import java.util.TreeSet;
import java.util.stream.Collectors;
import org.apache.kafka.clients.consumer.ConsumerRebalanceListener;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.consumer.OffsetAndMetadata;
import org.apache.kafka.common.KafkaException;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.errors.WakeupException;
import org.apache.kafka.common.serialization.StringDeserializer;

/**
 * A worker of package story for the Java client.
 *
 * <p>usage: GroupWorker ADDRESS TOPIC GROUP NAME [key=value...]
 */
public class GroupWorker implements ConsumerRebalanceListener {
  private final KafkaConsumer<String, String> consumer;
  private final TreeSet<Integer> owned = new TreeSet<>();

  private GroupWorker(Properties properties) {
    consumer = new KafkaConsumer<>(properties, new StringDeserializer(), new StringDeserializer());
  }

  public static void main(String[] args) throws Exception {
    Properties p = new Properties();
    p.put("bootstrap.servers", args[0]);
    p.put("group.id", args[2]);
    p.put("client.id", args[3]);
    p.put("auto.offset.reset", "earliest");
    p.put("enable.auto.commit", "false");
    p.put("fetch.max.wait.ms", "300");
    p.put("reconnect.backoff.max.ms", "500");
    for (int i = 4; i < args.length; i++) {
      String[] pair = args[i].split("=", 2);
      p.put(pair[0], pair[1]);
    }
    GroupWorker worker = new GroupWorker(p);
    // For package report, which does not count how long a Java VM takes to come here.
    System.out.println("{\"event\":\"ready\"}");
    Thread main = Thread.currentThread();
    // At SIGTERM the hook lets the consumer leave; without halt the exit code would be the signal's.
    Runtime.getRuntime().addShutdownHook(new Thread(() -> {
      worker.consumer.wakeup();
      try {
        main.join();
      } catch (InterruptedException e) {
        Runtime.getRuntime().halt(1);
      }
      Runtime.getRuntime().halt(0);
    }));
    try {
      worker.run(args[1]);
    } catch (WakeupException e) {
      worker.consumer.close();
    } catch (Throwable e) {
      e.printStackTrace();
      Runtime.getRuntime().halt(1);
    }
  }

  private void run(String topic) {
    consumer.subscribe(List.of(topic), this);
    while (true) {
      Map<TopicPartition, OffsetAndMetadata> ends = new HashMap<>();
      for (ConsumerRecord<String, String> r : consumer.poll(Duration.ofMillis(200))) {
        System.out.printf("{\"event\":\"record\",\"partition\":%d,\"offset\":%d,\"value\":\"%s\"}%n", r.partition(), r.offset(), r.value());
        ends.put(new TopicPartition(r.topic(), r.partition()), new OffsetAndMetadata(r.offset() + 1));
      }
      System.out.flush();
      if (ends.isEmpty()) {
        continue;
      }
      try {
        consumer.commitSync(ends, Duration.ofSeconds(10));
        ends.forEach((p, o) -> System.out.printf("{\"event\":\"committed\",\"partition\":%d,\"offset\":%d}%n", p.partition(), o.offset()));
      } catch (WakeupException e) {
        throw e;
      } catch (KafkaException e) {
        // Made good by a later commit, or by who reads the records again.
        System.err.println("commit: " + e);
      }
    }
  }

  private void tell() {
    System.out.printf("{\"event\":\"owns\",\"generation\":%d,\"partitions\":[%s]}%n", consumer.groupMetadata().generationId(),
        owned.stream().map(String::valueOf).collect(Collectors.joining(",")));
    System.out.flush();
  }

  @Override
  public void onPartitionsAssigned(Collection<TopicPartition> partitions) {
    partitions.forEach(p -> owned.add(p.partition()));
    tell();
  }

  @Override
  public void onPartitionsRevoked(Collection<TopicPartition> partitions) {
    partitions.forEach(p -> owned.remove(p.partition()));
    tell();
  }
}
