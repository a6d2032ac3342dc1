package assign

// Uniform returns the assignor that spreads the partitions of all topics evenly, and then moves as few as that allows
// (Kafka's UniformAssignor).
func Uniform() Assignor { return uniformAssignor{} }

type uniformAssignor struct{}

func (uniformAssignor) Name() string { return "uniform" }

func (uniformAssignor) Assign(g Group, topics Topics) (map[string]Partitions, error) {
	b, err := newBoard(g, topics)
	if err != nil {
		return nil, err
	}
	if g.Homogeneous {
		b.spreadHomogeneous()
	} else {
		b.spreadHeterogeneous()
	}
	return b.targets(), nil
}
