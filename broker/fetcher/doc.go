// Package fetcher copies the logs of leaders into the partitions that this broker follows (Kafka:
// AbstractFetcherManager.scala, AbstractFetcherThread.scala, ReplicaFetcherThread.scala, RemoteLeaderEndPoint.scala,
// FetchSessionHandler.java).
//
// It knows how leaders are asked and what to do upon each answer. What is done to a log it leaves to replica.Partition,
// who leads what it is told through Follow, and where brokers listen it finds in the metadata image at every connect.
// Versions are those of inter.broker.protocol.version 3.9, sent without asking: Fetch 17 (12 while a topic has no id),
// ListOffsets 9.
//
// One loop per leader broker and fetcher id owns its partitions. It asks over two lanes, a connection each:
//
//   - the main lane carries the fetch session (KIP-227) with all partitions that are ready. An idle round names none
//     of them: it costs the same with one partition as with ten thousand;
//   - the side lane serves what cannot wait for the main lane, whose fetch a quiet leader holds for
//     replica.fetch.wait.max.ms: partitions that became ready meanwhile (a new topic, a leader that died) are fetched
//     aside, briefly and without a session, until the main lane is free and takes them; and the questions of those who
//     are out of the leader's range (ListOffsets). Kafka lets both wait.
//
// Files: fetchers.go (Fetchers: who is followed from where), loop.go (the loop's events), member.go (a partition in a
// loop and its states), lane.go (a connection and what is asked over it), session.go (the follower's end of a fetch
// session), request.go (requests), settle.go (what is done upon an answer), offsets.go (out of the leader's range), metrics.go.
//
// Invariants:
//
//   - a partition's failure holds up that partition alone;
//   - an answer counts only if it was asked for where the log ends now, so that both lanes may ask for a partition at
//     the same time;
//   - the loop alone touches members and session; Fetchers hands it changes, and sees of it two atomics per partition.
//
// A partition that a leader refuses for a reason that passes (it does not know yet that it leads) is asked for again
// after 20 ms, then twice that, up to replica.fetch.backoff.ms: at a fail-over the follower is often told before the
// leader is. A leader that is out of reach is tried again likewise.
package fetcher
