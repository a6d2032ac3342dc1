package replica

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"reflect"
	"testing"
	"testing/synctest"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"go.uber.org/zap"

	"github.com/kbroker/kbroker/coordinator/journal"
	"github.com/kbroker/kbroker/protocol/record"
	"github.com/kbroker/kbroker/storage"
	"github.com/kbroker/kbroker/storage/vfs"
)

// journal is the Journal of topic t, with buffers so small that a load needs many.
func (h *host) journal(codec record.Codec) *Journal {
	j := NewJournal(h.Manager, JournalOptions{
		Topic: "t", Codec: func() record.Codec { return codec }, LoadBufferSize: func() int { return 200 }, Logger: zap.NewNop(),
	})
	h.t.Cleanup(j.Close)
	return j
}

func records(keysAndValues ...string) (list []journal.Record) {
	for i := 0; i < len(keysAndValues); i += 2 {
		r := journal.Record{Key: []byte(keysAndValues[i])}
		if v := keysAndValues[i+1]; v != "-" {
			r.Value = []byte(v)
		}
		list = append(list, r)
	}
	return list
}

// write appends, which must work.
func write(t testing.TB, j *Journal, epoch int32, producer *journal.Producer, keysAndValues ...string) int64 {
	t.Helper()
	end, err := j.Append(0, epoch, records(keysAndValues...), producer, time.UnixMilli(1000))
	if err != nil {
		t.Fatal(err)
	}
	return end
}

func wantCode(t testing.TB, err error, want *kerr.Error) {
	t.Helper()
	var code *kerr.Error
	if !errors.As(err, &code) || code != want {
		t.Errorf("error %v, want %v", err, want)
	}
}

// load returns what a load visits, as text.
func load(t testing.TB, j *Journal, epoch int32) (visited []string) {
	t.Helper()
	err := j.Load(t.Context(), 0, epoch, func(e journal.Entry) error {
		visited = append(visited, show(e))
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return visited
}

func show(e journal.Entry) string {
	s := fmt.Sprint(e.Offset)
	if e.Producer != nil {
		s += fmt.Sprintf(" of %d/%d", e.Producer.ID, e.Producer.Epoch)
	}
	switch {
	case e.Marker == journal.Commit:
		return s + " commit"
	case e.Marker == journal.Abort:
		return s + " abort"
	case e.Value == nil:
		return s + fmt.Sprintf(" %s removed", e.Key)
	default:
		return s + fmt.Sprintf(" %s=%s", e.Key, e.Value)
	}
}

func mark(t testing.TB, p *Partition, kind record.ControlType, producer journal.Producer) {
	t.Helper()
	marker, err := record.BuildMarker(record.Marker{Type: kind}, producer.ID, producer.Epoch, 1000)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := p.AppendAsLeader(record.Trust(marker), -1, storage.FromCoordinator); err != nil {
		t.Fatal(err)
	}
}

func TestJournalLoadsWhatItAppended(t *testing.T) {
	for _, codec := range []record.Codec{record.None, record.Gzip, record.Snappy, record.LZ4, record.Zstd} {
		t.Run(codec.String(), func(t *testing.T) {
			h := newHost(t, vfs.NewMem())
			p := h.apply(leading(0, []int32{1}, []int32{1}))
			j := h.journal(codec)
			if end := write(t, j, 0, nil, "a", "1", "b", "", "c", "-"); end != 3 {
				t.Errorf("end %d after 3 records", end)
			}
			write(t, j, 0, &journal.Producer{ID: 7, Epoch: 2}, "a", "2")
			write(t, j, 0, &journal.Producer{ID: 7, Epoch: 2}, "b", "3") // the same sequence again, which is no duplicate
			mark(t, p, record.CommitMarker, journal.Producer{ID: 7, Epoch: 2})
			write(t, j, 0, &journal.Producer{ID: 8}, "a", "4")
			mark(t, p, record.AbortMarker, journal.Producer{ID: 8})
			large := string(bytes.Repeat([]byte("x"), 1000)) // more than the buffer
			write(t, j, 0, nil, "d", large, "e", "5")
			want := []string{
				"0 a=1", "1 b=", "2 c removed", "3 of 7/2 a=2", "4 of 7/2 b=3", "5 of 7/2 commit", "6 of 8/0 a=4",
				"7 of 8/0 abort", "8 d=" + large, "9 e=5",
			}
			if got := load(t, j, 0); !reflect.DeepEqual(got, want) {
				t.Errorf("loaded\n%q, want\n%q", got, want)
			}
		})
	}
}

func TestJournalWritesBatchesAsKafkaDoes(t *testing.T) {
	h := newHost(t, vfs.NewMem())
	p := h.apply(leading(3, []int32{1}, []int32{1}))
	write(t, h.journal(record.LZ4), 3, &journal.Producer{ID: 7, Epoch: 2}, "a", "1")
	r, err := p.Read(consumerFetch(0))
	if err != nil {
		t.Fatal(err)
	}
	defer r.Slice.Release()
	b := make([]byte, r.Slice.Size)
	if _, err := r.Slice.ReadAt(b, 0); err != nil {
		t.Fatal(err)
	}
	batch, _, err := record.Parse(b)
	if err != nil {
		t.Fatal(err)
	}
	if batch.TimestampType() != record.CreateTime || batch.MaxTimestamp() != 1000 || batch.Codec() != record.LZ4 ||
		!batch.IsTransactional() || batch.BaseSequence() != 0 || batch.PartitionLeaderEpoch() != 3 || !batch.ValidCRC() {
		t.Errorf("batch with attributes %#x, sequence %d, epoch %d", batch.Attributes(), batch.BaseSequence(), batch.PartitionLeaderEpoch())
	}
}

func TestJournalLoadsAcrossSegments(t *testing.T) {
	h := newHost(t, vfs.NewMem())
	h.overrides["t"] = map[string]string{"segment.bytes": "300"}
	p := h.apply(leading(0, []int32{1}, []int32{1}))
	j := h.journal(record.None)
	var want []string
	for i := range 200 {
		write(t, j, 0, nil, "k", fmt.Sprint(i))
		want = append(want, fmt.Sprintf("%d k=%d", i, i))
	}
	if got := load(t, j, 0); !reflect.DeepEqual(got, want) {
		t.Errorf("loaded %q", got)
	}
	p.mu.Lock()
	log := p.log
	p.mu.Unlock()
	if err := log.AdvanceLogStart(150); err != nil {
		t.Fatal(err)
	}
	if got := load(t, j, 0); !reflect.DeepEqual(got, want[150:]) {
		t.Errorf("from 150 on loaded %q", got)
	}
}

func TestJournalRefusesAppends(t *testing.T) {
	h := newHost(t, vfs.NewMem())
	h.overrides["t"] = map[string]string{"min.insync.replicas": "2", "max.message.bytes": "1000", "segment.bytes": "500"}
	h.apply(leading(5, []int32{1, 2}, []int32{1, 2}))
	j := h.journal(record.None)
	append := func(partition, epoch int32, producer *journal.Producer, size int) error {
		_, err := j.Append(partition, epoch, []journal.Record{{Key: []byte("k"), Value: make([]byte, size)}}, producer, time.UnixMilli(1000))
		return err
	}
	wantCode(t, append(9, 5, nil, 1), kerr.UnknownTopicOrPartition)
	wantCode(t, append(0, 4, nil, 1), kerr.NotLeaderForPartition)
	wantCode(t, append(0, 6, nil, 1), kerr.NotLeaderForPartition)
	wantCode(t, append(0, 5, nil, 2000), kerr.MessageTooLarge)
	wantCode(t, append(0, 5, nil, 700), kerr.RecordListTooLarge)
	if err := append(0, 5, &journal.Producer{ID: 7, Epoch: 2}, 1); err != nil {
		t.Error(err)
	}
	wantCode(t, append(0, 5, &journal.Producer{ID: 7, Epoch: 1}, 1), kerr.InvalidProducerEpoch)
	h.apply(leading(6, []int32{1}, []int32{1, 2}))
	wantCode(t, append(0, 6, nil, 1), kerr.NotEnoughReplicas)
	h.apply(following(7, 2))
	wantCode(t, append(0, 7, nil, 1), kerr.NotLeaderForPartition)
	leadOn(h, 8)
	if got := load(t, j, 8); len(got) != 1 {
		t.Errorf("the log holds %q", got)
	}
	// A leader that stays takes what is appended for the epoch in which it became that, or a later one, and none before.
	leadOn(h, 9)
	leadOn(h, 10)
	for epoch, want := range map[int32]*kerr.Error{7: kerr.NotLeaderForPartition, 8: nil, 9: nil, 10: nil, 11: kerr.NotLeaderForPartition} {
		if err := append(0, epoch, nil, 1); want == nil && err != nil {
			t.Errorf("append in epoch %d: %v", epoch, err)
		} else if want != nil {
			wantCode(t, err, want)
		}
	}
}

// leadOn is a leader that stays, in a later epoch.
func leadOn(h *host, epoch int32) { h.apply(leading(epoch, []int32{1, 2}, []int32{1, 2})) }

// leadAgain lets another broker lead before.
func leadAgain(h *host, epoch int32) int32 {
	h.apply(following(epoch-1, 2))
	leadOn(h, epoch)
	return epoch
}

// committed starts Committed and returns where its answer arrives.
func committed(j *Journal, epoch int32, end int64) chan error {
	result := make(chan error, 1)
	j.Committed(0, epoch, end, 5*time.Second, func(err error) { result <- err })
	return result
}

func TestCommittedIsAtOnceWithOneReplica(t *testing.T) {
	h := newHost(t, vfs.NewMem())
	h.apply(leading(0, []int32{1}, []int32{1}))
	j := h.journal(record.None)
	result := committed(j, 0, write(t, j, 0, nil, "a", "1"))
	select {
	case err := <-result:
		if err != nil {
			t.Error(err)
		}
	default:
		t.Error("not done when Committed returned")
	}
}

func TestCommittedAwaitsTheReplicas(t *testing.T) {
	for _, test := range []struct {
		name string
		then func(h *host, p *Partition, j *Journal)
		want *kerr.Error
	}{
		{"which come", func(h *host, p *Partition, _ *Journal) { fetchAs(h.t, p, 2, 2) }, nil},
		{"which are late", func(*host, *Partition, *Journal) { <-time.After(6 * time.Second) }, kerr.RequestTimedOut},
		{"in a later epoch", func(h *host, p *Partition, _ *Journal) {
			leadOn(h, 1)
			fetchAs(h.t, p, 2, 2)
		}, nil},
		{"in another leadership", func(h *host, p *Partition, _ *Journal) {
			leadAgain(h, 2)
			fetchAs(h.t, p, 2, 2)
		}, kerr.NotLeaderForPartition},
		{"as a follower", func(h *host, _ *Partition, _ *Journal) { h.apply(following(1, 2)) }, kerr.NotLeaderForPartition},
		{"of an ISR that shrinks as they come", func(_ *host, p *Partition, _ *Journal) {
			p.mu.Lock()
			defer p.mu.Unlock()
			p.isr.committed = []int32{1} // in the same leader epoch
			p.log.SetHighWatermark(2)
			p.wake(onAnything)
		}, kerr.NotEnoughReplicasAfterAppend},
		{"until the end", func(_ *host, _ *Partition, j *Journal) { j.Close() }, kerr.NotLeaderForPartition},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				h := newHost(t, vfs.NewMem())
				defer h.close()
				h.overrides["t"] = map[string]string{"min.insync.replicas": "2"}
				p := h.apply(leading(0, []int32{1, 2}, []int32{1, 2}))
				j := h.journal(record.None)
				result := committed(j, 0, write(t, j, 0, nil, "a", "1", "b", "2"))
				wantWaiting(t, result)
				fetchAs(t, p, 2, 1)
				wantWaiting(t, result)
				test.then(h, p, j)
				if test.want == nil {
					wantResult(t, result, nil)
				} else {
					wantResult(t, result, test.want)
				}
			})
		})
	}
}

func TestSettledAwaitsWhoeverMightLead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHost(t, vfs.NewMem())
		defer h.close()
		h.overrides["t"] = map[string]string{"min.insync.replicas": "2"}
		p := h.apply(leading(0, []int32{1, 2, 3}, []int32{1, 2}))
		j := h.journal(record.None)
		settled := func(end int64) chan error {
			result := make(chan error, 1)
			go func() { result <- j.Settled(t.Context(), 0, 0, end) }()
			return result
		}
		end := write(t, j, 0, nil, "a", "1")
		first := settled(end)
		wantWaiting(t, first)
		fetchAs(t, p, 2, end)
		wantResult(t, first, nil)

		end = write(t, j, 0, nil, "b", "2")
		second := settled(end)
		wantWaiting(t, second)
		p.mu.Lock()
		p.isr.committed = []int32{1} // too few to move the high watermark, and nobody else can lead
		p.wake(onAnything)
		p.mu.Unlock()
		wantResult(t, second, nil)

		p.mu.Lock()
		p.isr.committed = []int32{1, 2}
		p.mu.Unlock()
		third := settled(end)
		leadOn(h, 1)
		wantWaiting(t, third)
		leadAgain(h, 3)
		wantResult(t, third, kerr.NotLeaderForPartition)
	})
}

func TestCommittedAfterCloseDoesNotWait(t *testing.T) {
	h := newHost(t, vfs.NewMem())
	h.apply(leading(0, []int32{1, 2}, []int32{1, 2}))
	j := h.journal(record.None)
	end := write(t, j, 0, nil, "a", "1")
	j.Close()
	wantCode(t, <-committed(j, 0, end), kerr.NotLeaderForPartition)
}

func TestLoadEndsEarly(t *testing.T) {
	h := newHost(t, vfs.NewMem())
	h.apply(leading(0, []int32{1, 2}, []int32{1, 2}))
	j := h.journal(record.None)
	for i := range 50 {
		write(t, j, 0, nil, "k", fmt.Sprint(i))
	}
	visits := 0
	refusal := errors.New("enough")
	if err := j.Load(t.Context(), 0, 0, func(journal.Entry) error { visits++; return refusal }); err != refusal || visits != 1 {
		t.Errorf("error %v after %d visits", err, visits)
	}
	ctx, cancel := context.WithCancel(t.Context())
	visits = 0
	err := j.Load(ctx, 0, 0, func(journal.Entry) error { visits++; cancel(); return nil })
	if !errors.Is(err, context.Canceled) || visits > 5 {
		t.Errorf("error %v after %d visits", err, visits)
	}
	visits = 0
	err = j.Load(t.Context(), 0, 0, func(journal.Entry) error {
		if visits++; visits == 1 {
			leadOn(h, 1)
		}
		return nil
	})
	if err != nil || visits != 50 {
		t.Errorf("error %v after %d visits, as the epoch grew", err, visits)
	}
	visits = 0
	err = j.Load(t.Context(), 0, 0, func(journal.Entry) error {
		if visits++; visits == 1 {
			leadAgain(h, 3)
		}
		return nil
	})
	wantCode(t, err, kerr.NotLeaderForPartition)
	if visits > 5 {
		t.Errorf("%d visits after the leadership was over", visits)
	}
	wantCode(t, j.Load(t.Context(), 0, 0, nil), kerr.NotLeaderForPartition)
	wantCode(t, j.Load(t.Context(), 9, 0, nil), kerr.UnknownTopicOrPartition)
}

func TestLeadingAndEndOffset(t *testing.T) {
	h := newHost(t, vfs.NewMem())
	j := h.journal(record.None)
	want := func(epoch int32, leads bool, end int64) {
		t.Helper()
		if e, ok := j.Leading(0); e != epoch || ok != leads {
			t.Errorf("leading %v in epoch %d, want %v in %d", ok, e, leads, epoch)
		}
		if o, ok := h.EndOffset("t", 0); o != end || ok != leads {
			t.Errorf("end offset %d %v, want %d", o, ok, end)
		}
	}
	want(-1, false, 0)
	p := h.apply(leading(4, []int32{1, 2}, []int32{1, 2}))
	write(t, j, 4, nil, "a", "1", "b", "2")
	want(4, true, 0)
	fetchAs(t, p, 2, 1)
	want(4, true, 1)
	h.apply(following(5, 2))
	want(-1, false, 0)
}

func TestLoadRefusesABatchWithAWrongChecksum(t *testing.T) {
	h := newHost(t, vfs.NewMem())
	p := h.apply(leading(0, []int32{1}, []int32{1}))
	j := h.journal(record.None)
	write(t, j, 0, nil, "a", "1")
	broken := batch(t, 1, 1000)
	broken.Batch[len(broken.Batch)-2]++ // in the value
	if _, err := p.AppendAsLeader(broken, -1, storage.FromClient); err != nil {
		t.Fatal(err)
	}
	visits := 0
	wantCode(t, j.Load(t.Context(), 0, 0, func(journal.Entry) error { visits++; return nil }), kerr.CorruptMessage)
	if visits != 1 {
		t.Errorf("%d visits", visits)
	}
}
