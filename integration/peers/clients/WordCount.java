import java.util.Arrays;
import java.util.Properties;
import org.apache.kafka.common.serialization.Serdes;
import org.apache.kafka.streams.KafkaStreams;
import org.apache.kafka.streams.KeyValue;
import org.apache.kafka.streams.StreamsBuilder;
import org.apache.kafka.streams.kstream.Grouped;
import org.apache.kafka.streams.kstream.KStream;
import org.apache.kafka.streams.kstream.Materialized;

/**
 * Counts the words of a topic into another, with a state store and its changelog, at least once.
 *
 * <p>usage: WordCount ADDRESS APPLICATION FROM TO STATE_DIR [key=value...]
 */
public class WordCount {
  public static void main(String[] args) {
    Properties p = new Properties();
    p.put("bootstrap.servers", args[0]);
    p.put("application.id", args[1]);
    p.put("state.dir", args[4]);
    p.put("default.key.serde", Serdes.String().getClass());
    p.put("default.value.serde", Serdes.String().getClass());
    p.put("processing.guarantee", "at_least_once");
    p.put("auto.offset.reset", "earliest");
    p.put("commit.interval.ms", "200");
    for (int i = 5; i < args.length; i++) {
      String[] pair = args[i].split("=", 2);
      p.put(pair[0], pair[1]);
    }
    StreamsBuilder builder = new StreamsBuilder();
    KStream<String, String> lines = builder.stream(args[2]);
    lines.flatMapValues(line -> Arrays.asList(line.split("\\s+")))
        .map((key, word) -> new KeyValue<>(word, "")) // a new key: the words are shuffled through a repartition topic
        .groupByKey(Grouped.with(Serdes.String(), Serdes.String()))
        .count(Materialized.as("counts"))
        .toStream()
        .mapValues(String::valueOf)
        .to(args[3]);
    KafkaStreams streams = new KafkaStreams(builder.build(), p);
    streams.setStateListener((now, before) -> System.out.println("state " + now));
    Runtime.getRuntime().addShutdownHook(new Thread(() -> {
      streams.close();
      Runtime.getRuntime().halt(0); // otherwise the exit code would be the signal's
    }));
    streams.start();
  }
}
