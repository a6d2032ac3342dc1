import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Properties;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import java.util.stream.Collectors;
import java.util.stream.StreamSupport;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.AlterConfigOp;
import org.apache.kafka.clients.admin.ConfigEntry;
import org.apache.kafka.clients.admin.NewTopic;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.config.ConfigResource;
import org.apache.kafka.common.header.internals.RecordHeader;
import org.apache.kafka.common.serialization.StringDeserializer;
import org.apache.kafka.common.serialization.StringSerializer;

/**
 * The tasks of package report with the Java client.
 *
 * <p>usage: TaskWorker tasks ADDRESS
 */
public class TaskWorker {
  private static final Duration TIMEOUT = Duration.ofSeconds(12);

  private final Properties address = new Properties();

  private TaskWorker(String address) {
    this.address.put("bootstrap.servers", address);
  }

  public static void main(String[] args) throws Exception {
    TaskWorker worker = new TaskWorker(args[1]);
    worker.load();
    tell("{\"event\":\"ready\"}");
    BufferedReader lines = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
    for (String line = lines.readLine(); line != null; line = lines.readLine()) {
      try {
        worker.work(line.split(" "));
        tell("{\"event\":\"done\"}");
      } catch (Exception e) {
        String why = e.toString().replaceAll("[\\\\\"\\p{Cntrl}]", " ");
        tell("{\"event\":\"failed\",\"why\":\"%s\"}", why);
      }
    }
  }

  /** Loads the classes of the clients, which on a busy machine takes longer than any task. */
  private void load() throws Exception {
    send("", 0, Map.of(), List.of());
    consumer().close();
    Admin.create(address).close();
  }

  private static void tell(String format, Object... args) {
    System.out.printf(format + "%n", args);
    System.out.flush();
  }

  private void work(String[] words) throws Exception {
    String topic = words[1];
    ConfigResource resource = new ConfigResource(ConfigResource.Type.TOPIC, topic);
    switch (words[0]) {
      case "produce" -> send(topic, 10, Map.of("compression.type", words[2], "enable.idempotence", "false"), List.of());
      case "idempotent" -> send(topic, 10, Map.of("enable.idempotence", "true"), List.of());
      case "headers" -> send(topic, 1, Map.of(), List.of(header("a", "1"), header("b", "2")));
      case "consume" -> consume(topic, Integer.parseInt(words[2]));
      case "look-up" -> {
        try (KafkaConsumer<String, String> consumer = consumer()) {
          TopicPartition partition = new TopicPartition(topic, 0);
          long time = Long.parseLong(words[2]);
          tell("{\"event\":\"offset\",\"offset\":%d}", consumer.offsetsForTimes(Map.of(partition, time), TIMEOUT).get(partition).offset());
        }
      }
      case "create" -> {
        NewTopic created = new NewTopic(topic, 3, (short) 1).configs(Map.of("retention.ms", "3600000"));
        withAdmin(admin -> admin.createTopics(List.of(created)).all());
      }
      case "describe" -> {
        int count = withAdmin(admin -> admin.describeTopics(List.of(topic)).allTopicNames()).get(topic).partitions().size();
        tell("{\"event\":\"topic\",\"count\":%d}", count);
      }
      case "delete" -> withAdmin(admin -> admin.deleteTopics(List.of(topic)).all());
      case "alter" -> {
        AlterConfigOp op = new AlterConfigOp(new ConfigEntry(words[2], words[3]), AlterConfigOp.OpType.SET);
        withAdmin(admin -> admin.incrementalAlterConfigs(Map.of(resource, List.of(op))).all());
      }
      case "configs" -> {
        String value = withAdmin(admin -> admin.describeConfigs(List.of(resource)).all()).get(resource).get(words[2]).value();
        tell("{\"event\":\"config\",\"value\":\"%s\"}", value);
      }
      default -> throw new IllegalArgumentException("no task " + words[0]);
    }
  }

  /** What an admin client is asked for. */
  private interface Call<T> {
    Future<T> on(Admin admin);
  }

  private <T> T withAdmin(Call<T> call) throws Exception {
    try (Admin admin = Admin.create(address)) {
      return call.on(admin).get(TIMEOUT.toSeconds(), TimeUnit.SECONDS);
    }
  }

  private static RecordHeader header(String key, String value) {
    return new RecordHeader(key, value.getBytes(StandardCharsets.UTF_8));
  }

  private void send(String topic, int count, Map<String, String> settings, List<RecordHeader> headers) throws Exception {
    Map<String, Object> all = new HashMap<>(settings);
    address.forEach((key, value) -> all.put((String) key, value));
    List<Future<?>> sent = new ArrayList<>();
    try (KafkaProducer<String, String> producer = new KafkaProducer<>(all, new StringSerializer(), new StringSerializer())) {
      for (int i = 0; i < count; i++) {
        ProducerRecord<String, String> record = new ProducerRecord<>(topic, 0, "k" + i, "v" + i + ".".repeat(500));
        headers.forEach(h -> record.headers().add(h));
        sent.add(producer.send(record));
      }
      producer.flush();
      for (Future<?> one : sent) {
        one.get(TIMEOUT.toSeconds(), TimeUnit.SECONDS);
      }
    }
  }

  private KafkaConsumer<String, String> consumer() {
    return new KafkaConsumer<>(address, new StringDeserializer(), new StringDeserializer());
  }

  private void consume(String topic, int count) {
    try (KafkaConsumer<String, String> consumer = consumer()) {
      List<TopicPartition> partitions = List.of(new TopicPartition(topic, 0));
      consumer.assign(partitions);
      consumer.seekToBeginning(partitions);
      for (int n = 0; n < count; ) {
        for (ConsumerRecord<String, String> r : consumer.poll(Duration.ofMillis(200))) {
          String headers = StreamSupport.stream(r.headers().spliterator(), false)
              .map(h -> "\"" + h.key() + "=" + new String(h.value(), StandardCharsets.UTF_8) + "\"").collect(Collectors.joining(","));
          tell("{\"event\":\"record\",\"partition\":0,\"offset\":%d,\"timestamp\":%d,\"key\":\"%s\",\"value\":\"%s\",\"headers\":[%s]}",
              r.offset(), r.timestamp(), r.key(), r.value(), headers);
          n++;
        }
      }
    }
  }
}
