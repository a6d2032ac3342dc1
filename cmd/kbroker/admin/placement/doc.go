// Package placement decides which brokers should hold which replicas, and reads and writes the files of
// kafka-reassign-partitions that say so. It asks nobody and does nothing: it computes from what it is given, so every rule of it
// can be tested.
//
//	plan.go      the file format
//	propose.go   from what is and what is wanted to what should be: the steps, in order
//	balance.go   moves that even out brokers
//	leaders.go   the order of replicas, which decides who leads
//	throttle.go  which replicas a throttled reassignment slows down
//
// What Propose promises, in this order of importance:
//
//  1. Every partition has as many replicas as it should, all on different brokers that it may use.
//  2. No rack has two replicas more of a partition than another that has room. With as many racks as replicas that is one in
//     each, which is Kafka's own rule for new topics.
//  3. A replica stays where it is unless one of these rules makes it move; and without a request for balance, partitions that
//     have the right number of replicas, on brokers they may use, stay even if their racks are not as rule 2 has it.
//  4. With balance, brokers differ by one replica at most, as far as rule 2 lets them, with the fewest moves; and so do the
//     partitions that they lead, as far as replicas let them.
package placement
