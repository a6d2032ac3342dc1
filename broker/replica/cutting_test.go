package replica

import (
	"testing"

	"github.com/kbroker/kbroker/storage"
	"github.com/kbroker/kbroker/storage/vfs"
)

// TestACommittedRecordSurvivesAFollowerThatRestartsAndLeads is the first scenario of KIP-101: what a follower holds
// above its high watermark may be committed, of which it would have heard with the next answer.
func TestACommittedRecordSurvivesAFollowerThatRestartsAndLeads(t *testing.T) {
	p := newPair(t)
	p.tell(2, 0, []int32{1, 2}, p.one, p.two)
	appendTo(t, p.two.partition(), 1)
	catchUp(t, p.two, p.one)
	appendTo(t, p.two.partition(), 1)
	fetch(t, p.two, p.one) // m2, with the high watermark of before
	wantHighWatermark(t, p.one.partition(), 1)

	p.tell(2, 1, []int32{1, 2}, p.one) // it restarts, and follows again
	wantEnd(t, p.one, 2)
	p.tell(1, 2, []int32{1}, p.one) // and the leader dies
	wantEnd(t, p.one, 2)
	wantHighWatermark(t, p.one.partition(), 2)
	p.tell(1, 3, []int32{1, 2}, p.one, p.two)
	catchUp(t, p.one, p.two)
	wantEnd(t, p.two, 2)
}

// TestLogsThatDivergedAreMadeOne is the second scenario of KIP-101: both replicas fail, and the one that comes back
// first lacks a record of the other and takes another in its place.
func TestLogsThatDivergedAreMadeOne(t *testing.T) {
	p := newPair(t)
	p.tell(1, 0, []int32{1, 2}, p.one, p.two)
	appendTo(t, p.one.partition(), 1)
	catchUp(t, p.one, p.two)
	appendTo(t, p.one.partition(), 1) // m2, only here

	p.tell(2, 1, []int32{2}, p.two)
	appendTo(t, p.two.partition(), 2) // m3, where m2 is
	p.tell(2, 2, []int32{2}, p.one, p.two)
	wantEnd(t, p.one, 2) // nothing is cut before the leader says so
	catchUp(t, p.two, p.one)
	wantEnd(t, p.one, 3)
}

// TestLogsThatDivergedTwiceAreMadeOne is KIP-279: after fast changes of leaders each log has an epoch that the other
// lacks, so that one answer does not tell where to cut.
func TestLogsThatDivergedTwiceAreMadeOne(t *testing.T) {
	p := newPair(t)
	p.tell(1, 0, []int32{1, 2}, p.one, p.two)
	appendTo(t, p.one.partition(), 10)
	catchUp(t, p.one, p.two)
	p.tell(2, 1, []int32{2}, p.two)
	appendTo(t, p.two.partition(), 5) // 10 to 14 in epoch 1
	p.tell(1, 2, []int32{1}, p.one)
	appendTo(t, p.one.partition(), 3) // 10 to 12 in epoch 2
	p.tell(2, 3, []int32{2}, p.two)
	appendTo(t, p.two.partition(), 4) // 15 to 18 in epoch 3

	p.tell(1, 4, []int32{1}, p.one, p.two)
	appendTo(t, p.one.partition(), 1)
	rounds := 0
	for rounds < 5 && p.two.partition().log.LogEndOffset() > 10 {
		fetch(t, p.one, p.two)
		rounds++
	}
	if rounds != 2 {
		t.Errorf("%d answers until the logs are one, want 2", rounds)
	}
	catchUp(t, p.one, p.two)
	wantEnd(t, p.two, 14)
}

// TestALeaderThatAppendedNothingFollows has an epoch without records at its end, of which its leader may never have heard.
func TestALeaderThatAppendedNothingFollows(t *testing.T) {
	p := newPair(t)
	p.tell(1, 0, []int32{1, 2}, p.one, p.two)
	appendTo(t, p.one.partition(), 2)
	catchUp(t, p.one, p.two)
	p.tell(2, 5, []int32{1, 2}, p.two)
	p.tell(1, 6, []int32{1, 2}, p.one, p.two)
	appendTo(t, p.one.partition(), 2)
	catchUp(t, p.one, p.two)
	wantEnd(t, p.two, 4)
	if epoch := p.two.partition().log.LatestEpoch(); epoch != 6 {
		t.Errorf("latest epoch %d, want 6", epoch)
	}
}

func TestWhereALogIsCut(t *testing.T) {
	h := newHost(t, vfs.NewMem())
	p := h.apply(leading(2, []int32{1}, []int32{1, 2}))
	appendTo(t, p, 10) // epoch 2: 0 to 9
	h.apply(leading(4, []int32{1}, []int32{1, 2}))
	appendTo(t, p, 10) // epoch 4: 10 to 19
	for _, c := range []struct {
		epoch int32
		end   int64
		want  int64
	}{
		{4, 15, 15},  // both have it, the leader less
		{4, 30, 20},  // or this log
		{2, 8, 8},    // both have it
		{2, 12, 10},  // it ends sooner here
		{3, 7, 10},   // unknown here: back to the end of the one before, to be asked about again
		{1, 5, 0},    // below all that is known here
		{-1, 12, 12}, // the leader knows no epochs
		{9, 12, 12},  // above all that is known here
		{4, -1, 20},  // the leader does not know
	} {
		if got := sharedEnd(p.log, c.epoch, c.end); got != c.want {
			t.Errorf("leader's epoch %d ends at %d: cut at %d, want %d", c.epoch, c.end, got, c.want)
		}
	}
}

func TestCuttingBringsTheHighWatermarkDown(t *testing.T) {
	h := newHost(t, vfs.NewMem())
	p := h.apply(leading(0, []int32{1}, []int32{1, 2}))
	appendTo(t, p, 4)
	appendTo(t, p, 4)
	h.apply(following(1, 2))
	wantHighWatermark(t, p, 8)
	at, err := p.TruncateTo(1, 4) // an unclean leader
	if want := (Position{Offset: 4, LastEpoch: 0}); err != nil || at != want {
		t.Errorf("%+v, %v", at, err)
	}
	wantHighWatermark(t, p, 4)
	at, err = p.StartAt(1, 100)
	if want := (Position{Offset: 100, LastEpoch: -1, LogStartOffset: 100}); err != nil || at != want {
		t.Errorf("%+v, %v", at, err)
	}
	wantHighWatermark(t, p, 100)
}

// TestALogWithoutEpochsIsCutToTheHighWatermark is a log of an old format, in which no leader's answer tells where it
// diverges.
func TestALogWithoutEpochsIsCutToTheHighWatermark(t *testing.T) {
	fs := vfs.NewMem()
	h := newHost(t, fs)
	log, err := h.logs.Create(storage.TopicPartition{Topic: "t"}, [16]byte{1}, h.store.Topic(nil).Log)
	if err != nil {
		t.Fatal(err)
	}
	for i := range 3 {
		b := batch(t, 2, 0).Batch // of leader epoch -1
		b.SetBaseOffset(int64(2 * i))
		if _, err := log.AppendAsFollower(b); err != nil {
			t.Fatal(err)
		}
	}
	log.SetHighWatermark(4)
	s := following(0, 2)
	s.Leader, s.IsNew = -1, false
	h.apply(s)
	wantEnd(t, h, 6) // nobody to follow yet
	h.apply(following(1, 2))
	wantEnd(t, h, 4)
}
